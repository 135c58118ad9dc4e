"""Immutable bytes: the contract and its implementations."""
