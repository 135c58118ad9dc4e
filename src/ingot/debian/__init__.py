"""Debian packages as image content: archive index, signatures, dependency closure, unpacking."""
