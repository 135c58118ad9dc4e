"""Appliance files of the shapes that LinuxKit's examples have, and what becomes of them."""
