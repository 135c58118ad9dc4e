"""How much a bucket holds, and what a commit changes of that. Pure.

What counts are the bodies of all versions of objects and the parts of unfinished uploads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ingot.store import keys
from ingot.store.catalog.contract import Add, Check, EmptyRange, Put
from ingot.store.catalog.counters import decode_numbers
from ingot.store.errors import RecordDamagedError
from ingot.store.fences import Rules
from ingot.store.records import decode_part
from ingot.store.seals import open_record

COUNTED_SPACES: Final = (keys.OBJECTS, keys.VERSIONS, keys.PARTS)


class Usage(NamedTuple):
    """What a bucket holds, or what a commit changes of it.

    Attributes:
        size_bytes: of all bodies: versions of objects, and parts.
        objects: how many keys have an object.
        versions: of objects, the current ones included and delete markers not.
        delete_markers: how many.
    """

    size_bytes: int = 0
    objects: int = 0
    versions: int = 0
    delete_markers: int = 0

    def plus(self, other: Usage, sign: int = 1) -> Usage:
        """Return the sum with another one, or with `sign=-1` the difference."""
        return Usage(*(mine + sign * its for mine, its in zip(self, other, strict=True)))


NOTHING: Final = Usage()
_COUNT: Final = len(NOTHING)


def decode_usage(value: bytes | None) -> Usage:
    """Read what is under `keys.USAGE`.

    Raises:
        RecordDamagedError: it is damaged.
    """
    return Usage(*decode_numbers(value, _COUNT))


def usage_of(key: bytes, value: bytes) -> Usage:
    """Return what one row of a bucket's partition adds; what is damaged adds nothing."""
    if not key.startswith(COUNTED_SPACES):
        return NOTHING
    try:
        if key.startswith(keys.PARTS):
            return Usage(decode_part(value).size_bytes)
        record = open_record(keys.name_of(key), value)
    except RecordDamagedError:
        return NOTHING
    if record.delete_marker:
        return Usage(delete_markers=1)
    return Usage(record.size_bytes, int(key.startswith(keys.OBJECTS)), 1)


def total(rows: Iterable[tuple[bytes, bytes]]) -> Usage:
    """Return what rows add up to."""
    size_bytes = objects = versions = delete_markers = 0
    for key, value in rows:
        usage = usage_of(key, value)
        size_bytes += usage.size_bytes
        objects += usage.objects
        versions += usage.versions
        delete_markers += usage.delete_markers
    return Usage(size_bytes, objects, versions, delete_markers)


def adds_of(
    rules: Rules,
    checks: Sequence[Check | EmptyRange],
    puts: Sequence[Put],
    deletes: Sequence[bytes],
) -> Sequence[Add]:
    """Return what a commit must add to what is counted; nothing in a bucket without a quota.

    Args:
        rules: of the bucket.
        checks: those of the commit; one for each counted key that it removes or replaces, so that
            nothing is counted twice.
        puts: what it writes.
        deletes: what it removes.
    """
    quota = rules.quota
    if quota is None:
        return ()
    before = {check.key: check.expected for check in checks if isinstance(check, Check)}
    change = total((put.key, put.value) for put in puts)
    gone = [(key, before[key]) for key in deletes if key.startswith(COUNTED_SPACES)]
    # What is written without a check has a name of its own: the place of a version.
    gone += [(put.key, before.get(put.key)) for put in puts if put.key.startswith(COUNTED_SPACES)]
    change = change.plus(total((key, value) for key, value in gone if value is not None), -1)
    if change == NOTHING:
        return ()
    return (Add(keys.USAGE, change, None if quota.counting else quota.size_bytes),)
