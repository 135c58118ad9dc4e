"""Debian version numbers: their total order (Debian Policy 5.6.12), as sortable keys."""

from __future__ import annotations

import functools
import re

from ingot.base.errors import Error

# A colon may stand in the upstream part only where an epoch comes first.
_VERSION = re.compile(
    r"(?:(\d+):)?((?(1)[A-Za-z0-9.+~:-]*?|[A-Za-z0-9.+~-]*?))(?:-([A-Za-z0-9.+~]*))?"
)
_RUN = re.compile(r"(\D*)(\d*)")

VersionKey = tuple[int, ...]


class VersionError(Error):
    """A version number breaks Debian's grammar."""

    slug = "version"


@functools.lru_cache(maxsize=65536)
def version_key(version: str) -> VersionKey:
    """Return a key whose order is the order of versions; equal versions have equal keys.

    Letters sort before other characters, `~` before everything, even the end.

    Raises:
        VersionError: the text is no Debian version.
    """
    match = _VERSION.fullmatch(version)
    if match is None or not version:
        raise VersionError(f"{version!r} is not a Debian version number")
    epoch, upstream, revision = match.groups()
    return (int(epoch or 0), *_part_key(upstream), *_part_key(revision or ""))


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Say whether `version` fulfils a relation such as `>= 2.36` (Debian Policy 7.1).

    Raises:
        VersionError: a version or the operator is malformed.
    """
    left, right = version_key(version), version_key(wanted)
    match operator:
        case ">=":
            return left >= right
        case "=":
            return left == right
        case "<<":
            return left < right
        case "<=":
            return left <= right
        case ">>":
            return left > right
        case _:
            raise VersionError(f"{operator!r} is not a version relation")


def _part_key(part: str) -> list[int]:
    """Flatten a part: characters, a zero that ends them, a number, and so on; then two zeros.

    No character has the code zero, so two keys stay in step until they differ. A missing part is
    the same as `0`.
    """
    key: list[int] = []
    for text, digits in _RUN.findall(part or "0"):
        if text or digits:
            key += [_character_order(character) for character in text]
            key += (0, int(digits or 0))
    return [*key, 0, 0]


def _character_order(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
