"""Debian packages and Python wheels turned into container images, without any maintainer script."""
