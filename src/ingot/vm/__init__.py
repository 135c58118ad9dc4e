"""Machines: what they are, what they are plugged into, who runs them, and their life."""
