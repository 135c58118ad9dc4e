"""Immutable bytes: the `Blobs` contract and its implementations (files, memory)."""
