"""One file per family of S3 operations; each function is named as its operation."""
