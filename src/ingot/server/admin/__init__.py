"""MinIO's admin API, version 3: apart from S3, with a table of operations of its own."""
