"""The XML bodies of S3, each rendered and parsed: the client reads what the server writes."""
