"""The S3 protocol without I/O, shared by server and client."""
