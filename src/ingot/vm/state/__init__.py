"""What is kept of machines on this host: their folders and processes."""
