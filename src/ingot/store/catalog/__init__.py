"""Ordered metadata: the contract and its implementations."""
