"""Shipped with the product: contract suites, fake clock and in-memory parts for tests."""
