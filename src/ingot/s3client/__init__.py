"""A small S3 client: one method per operation, and the multipart transfer engine."""
