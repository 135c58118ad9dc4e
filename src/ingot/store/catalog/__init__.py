"""Ordered metadata: the `Catalog` contract and its implementations (sqlite, memory)."""
