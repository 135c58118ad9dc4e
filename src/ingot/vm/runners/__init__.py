"""Hypervisors and clouds that can run a machine: one file each, behind `contract.Runner`."""
