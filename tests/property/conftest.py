"""Examples are many and machines are busy: no single one has a deadline."""

from hypothesis import settings

settings.register_profile("ingot", deadline=None, print_blob=True)
settings.load_profile("ingot")
