"""What a machine keeps and is given: disks, shared folders, the CD with its metadata."""
