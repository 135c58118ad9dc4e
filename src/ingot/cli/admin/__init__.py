"""`ingot admin`: a file for each group of its commands."""
