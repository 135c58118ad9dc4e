"""Key pairs that are made up; what is pure may hold secrets, and makes none."""

from __future__ import annotations

import secrets
import string

from ingot.base.secret import Secret

_SECRET_KEY_LENGTH = 40
_ACCESS_KEY_LENGTH = 20
# Letters and digits only: nothing that a shell or a URL would read as its own.
_SECRET_KEY_ALPHABET = string.ascii_letters + string.digits
_ACCESS_KEY_ALPHABET = string.ascii_uppercase + "234567"


def random_access_key() -> str:
    """Return a fresh access key of 100 bits, which nobody has."""
    return _random(_ACCESS_KEY_ALPHABET, _ACCESS_KEY_LENGTH)


def random_secret_key() -> Secret:
    """Return a fresh secret key of 238 bits."""
    return Secret(_random(_SECRET_KEY_ALPHABET, _SECRET_KEY_LENGTH))


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
