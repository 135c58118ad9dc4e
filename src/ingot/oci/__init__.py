"""Container images as values: file trees, image configurations, digests."""
