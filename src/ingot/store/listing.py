"""Listings: ordered walks over escaped keys that seek past what a delimiter rolls up."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

import msgspec

from ingot.store import keys
from ingot.store.catalog.contract import Catalog
from ingot.store.errors import RecordDamagedError

# A walk with a delimiter begins with small reads: what one common prefix rolls up is read for
# nothing. The reads grow while nothing is rolled up, and shrink when most of one was.
_ROWS_FIRST = 64
_GROWTH = 4
# What is read at a time while each row is rolled up into a prefix of its own.
_SKIMMED_MAX = 250
# Of what escaping makes; a delimiter without them is found in escaped keys where it is in others.
_ESCAPED_BYTES = b"\0\1\2\3\4"


class Row(msgspec.Struct, frozen=True, gc=False):
    """A catalog row: the S3 key, what follows it behind the separator, and the value."""

    key: str
    suffix: str
    value: bytes


class Walk(NamedTuple):
    """A page of a walk.

    Attributes:
        entries: rows and common prefixes (plain strings) in order.
        truncated: whether more follow.
    """

    entries: list[Row | str]
    truncated: bool


def rolls_up(key: str, prefix: str, delimiter: str) -> bool:
    """Tell whether a listing shows a common prefix in the place of a key."""
    return _common_prefix(key.encode(), prefix.encode(), delimiter.encode()) is not None


def position_after(space: bytes, after: str, prefix: str, delimiter: str) -> bytes:
    """Return where a walk goes on behind the entry `after`, a key or a common prefix.

    Entries at or before `after` are not shown, and a common prefix is an entry: when `after` lies
    inside one, all that it rolls up is behind the walk.
    """
    rolled_up = _common_prefix(after.encode(), prefix.encode(), delimiter.encode())
    if rolled_up is not None:
        return keys.behind_prefix(space + keys.escape(rolled_up.decode()))
    # Behind the key itself and behind whatever follows it past a separator.
    return keys.behind_prefix(space + keys.escape(after) + keys.SEPARATOR)


def walk(
    catalog: Catalog,
    partition: str,
    space: bytes,
    *,
    prefix: str,
    delimiter: str,
    position: bytes,
    limit: int,
) -> Walk:
    """Walk over the keys of a space (such as `o/`) that begin with `prefix`.

    Args:
        catalog: where to read.
        partition: the bucket's partition.
        space: what the catalog keys begin with.
        prefix: what the S3 keys must begin with.
        delimiter: keys that hold it behind the prefix are rolled up to it; empty for none.
        position: the first catalog key that may be shown; `b""` for the beginning.
        limit: how many entries at most; with 0 the page is empty and not truncated.
    """
    if limit <= 0:
        return Walk([], truncated=False)
    start = space + keys.escape(prefix)
    stop = keys.behind_prefix(start)
    position = max(position, start)
    wanted = limit + 1  # one more tells whether the page is truncated
    rows_max = _ROWS_FIRST if delimiter else wanted
    entries: list[Row | str] = []
    # In the other spaces there is more in a catalog key, behind the S3 key.
    skims = space == keys.OBJECTS and not set(_ESCAPED_BYTES).intersection(delimiter.encode())
    reader = _RowReader(space, prefix.encode(), delimiter.encode())
    while len(entries) < wanted and position < stop:
        if rows_max == 1 and skims:
            asked = min(_SKIMMED_MAX, wanted - len(entries))
            rows = catalog.skim(
                partition,
                position,
                stop,
                skip=len(start),
                delimiter=delimiter.encode(),
                limit=asked,
            )
        else:
            asked = min(rows_max, wanted - len(entries))
            rows = catalog.scan(partition, position, stop, limit=asked)
        shown = len(entries)
        try:
            position = reader.take(rows, entries)
        except UnicodeDecodeError as error:
            raise RecordDamagedError("", f"a key cannot be read: {error}") from error
        if len(rows) < asked:
            break  # the space ends here
        if isinstance(entries[-1], Row):
            rows_max *= _GROWTH
        elif (len(entries) - shown) * 2 < len(rows):
            rows_max = max(1, asked // _GROWTH)
    return Walk(entries[:limit], len(entries) > limit)


class _RowReader:
    """Turns catalog rows into entries."""

    def __init__(self, space: bytes, prefix: bytes, delimiter: bytes) -> None:
        self._space = space
        self._prefix = prefix
        self._delimiter = delimiter

    def take(self, rows: list[tuple[bytes, bytes]], entries: list[Row | str]) -> bytes:
        """Append the entries of rows; return where to read on (`b""` for no rows)."""
        skip = len(self._space)
        if not self._delimiter and rows:
            if keys.are_plain(rows):
                entries += [Row(key[skip:].decode(), "", value) for key, value in rows]
            else:
                entries += [self._row(catalog_key, value) for catalog_key, value in rows]
            return keys.after(rows[-1][0])
        position = b""
        index = 0
        while index < len(rows):
            catalog_key, value = rows[index]
            escaped, _, suffix = catalog_key[skip:].partition(keys.SEPARATOR)
            raw = keys.unescape(escaped)
            rolled_up = _common_prefix(raw, self._prefix, self._delimiter)
            if rolled_up is None:
                entries.append(Row(raw.decode(), suffix.decode(), value))
                position = keys.after(catalog_key)
                index += 1
            else:
                shown = rolled_up.decode()
                entries.append(shown)
                position = keys.behind_prefix(self._space + keys.escape(shown))
                # A one-tuple sorts before the pair that begins with it.
                index = bisect_left(rows, (position,), lo=index)
        return position

    def _row(self, catalog_key: bytes, value: bytes) -> Row:
        escaped, _, suffix = catalog_key[len(self._space) :].partition(keys.SEPARATOR)
        return Row(keys.unescape(escaped).decode(), suffix.decode(), value)


def _common_prefix(raw: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    if not delimiter or not raw.startswith(prefix):
        return None
    at = raw.find(delimiter, len(prefix))
    return None if at < 0 else raw[: at + len(delimiter)]
