"""Which versions to remove so that an object is again what it was before its last changes; pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from ingot.s3.documents.listing import VersionEntry

PUT = "PUT"
DELETE = "DELETE"


def last_changes(
    versions: Sequence[VersionEntry], count: int, action: str | None
) -> list[VersionEntry]:
    """Return the newest versions of one object that its last changes made.

    Args:
        versions: of one object, newest first.
        count: how many changes are undone.
        action: only while the last changes are of this kind, `PUT` or `DELETE`; None is any.
    """
    newest = versions[:count]
    if action is None:
        return list(newest)
    marker = action == DELETE
    return list(takewhile(lambda entry: entry.is_delete_marker == marker, newest))
