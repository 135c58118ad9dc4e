"""Machines: specification, disks, networks, consoles, state."""
