"""Ingot: an S3 store that you boot instead of install, and the toolchain for it."""

__version__ = "0.1.0"
