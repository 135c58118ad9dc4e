"""Boot media in pure Python: partition tables, file systems, loaders. No tools, no root."""
