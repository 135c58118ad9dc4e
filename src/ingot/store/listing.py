"""Listings: ordered walks over escaped keys that seek past what a delimiter rolls up.

A page has a thousand entries: what it takes of each is taken of all at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

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

_Row = tuple[bytes, bytes]
_T = TypeVar("_T")


class Walk(NamedTuple):
    """A page of a walk; keys and prefixes begin with the space.

    Attributes:
        rows: the catalog keys and values that are shown, in order.
        prefixes: the escaped common prefixes, in order.
        truncated: whether more follow.
    """

    rows: list[_Row]
    prefixes: list[bytes]
    truncated: bool

    def columns(self) -> tuple[list[str], Sequence[bytes]]:
        """Return the S3 keys and the values of the rows."""
        if not self.rows:
            return [], ()
        catalog_keys, values = zip(*self.rows, strict=True)
        return _readable(lambda: keys.names_of(catalog_keys)), values

    def split_names(self) -> list[tuple[str, str]]:
        """Return the S3 keys of the rows, and what follows each behind the separator."""
        return _readable(lambda: [keys.split_name(key) for key, _ in self.rows])

    def prefix_names(self) -> list[str]:
        """Return the common prefixes."""
        return _readable(lambda: keys.names_of(self.prefixes))

    def last(self) -> tuple[str, str]:
        """Return the last entry, and what follows it if it is a row; empty without entries."""
        ends = [key for key, _ in self.rows[-1:]] + self.prefixes[-1:]
        return _readable(lambda: keys.split_name(max(ends, default=b"")))


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
        return Walk([], [], truncated=False)
    start = space + keys.escape(prefix)
    stop = keys.behind_prefix(start)
    position = max(position, start)
    wanted = limit + 1  # one more tells whether the page is truncated
    rows_max = _ROWS_FIRST if delimiter else wanted
    page = _Page(start, delimiter, ends_with_name=space == keys.OBJECTS)
    while page.count < wanted and position < stop:
        before = page.count
        if rows_max == 1 and page.skims:
            asked = min(_SKIMMED_MAX, wanted - before)
            found = catalog.skim(
                partition,
                position,
                stop,
                skip=len(start),
                delimiter=delimiter.encode(),
                limit=asked,
            )
            read, position = len(found), page.take_skimmed(found)
        else:
            asked = min(rows_max, wanted - before)
            rows = catalog.scan(partition, position, stop, limit=asked)
            read, position = len(rows), page.take(rows)
        if read < asked:
            break  # the space ends here
        if page.ends_in_row:
            rows_max *= _GROWTH
        elif (page.count - before) * 2 < read:
            rows_max = max(1, asked // _GROWTH)
    return page.walk(limit)


class _Page:
    """Gathers rows and common prefixes; escaped as they are, there is no need to read them."""

    def __init__(self, start: bytes, delimiter: str, *, ends_with_name: bool) -> None:
        self.rows: list[_Row] = []
        self.prefixes: list[bytes] = []
        self.ends_in_row = False
        self._skip = len(start)
        self._delimiter = delimiter.encode()
        self._plain = not set(_ESCAPED_BYTES).intersection(self._delimiter)
        # In the other spaces there is more in a catalog key, behind the S3 key.
        self._ends_with_name = ends_with_name

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.prefixes)

    @property
    def skims(self) -> bool:
        """Whether the catalog can look for the delimiter itself."""
        return self._plain and self._ends_with_name

    def take(self, rows: list[_Row]) -> bytes:
        """Take what a scan read; return where to read on (`b""` for no rows)."""
        if not rows:
            return b""
        ends = self._ends([key for key, _ in rows]) if self._delimiter else ()
        if not ends or max(ends) < 0:
            self.rows += rows
            self.ends_in_row = True
            return keys.after(rows[-1][0])
        position = b""
        index = 0
        while index < len(rows):
            key, end = rows[index][0], ends[index]
            self.ends_in_row = end < 0
            if end < 0:
                self.rows.append(rows[index])
                position = keys.after(key)
                index += 1
            else:
                self.prefixes.append(key[:end])
                position = keys.behind_prefix(key[:end])
                # A one-tuple sorts before the pair that begins with it.
                index = bisect_left(rows, (position,), lo=index)
        return position

    def take_skimmed(self, found: Sequence[tuple[bytes, bytes | None]]) -> bytes:
        """Take what the catalog skimmed; return where to read on."""
        if not found:
            return b""
        delimiter, skip = self._delimiter, self._skip
        length = len(delimiter)
        self.rows += [(key, value) for key, value in found if value is not None]
        self.prefixes += [
            key[: key.find(delimiter, skip) + length] for key, value in found if value is None
        ]
        last, value = found[-1]
        self.ends_in_row = value is not None
        return keys.after(last) if self.ends_in_row else keys.behind_prefix(self.prefixes[-1])

    def walk(self, limit: int) -> Walk:
        """Return the page, which may have one entry too many."""
        truncated = self.count > limit
        if truncated:
            del (self.rows if self.ends_in_row else self.prefixes)[-1]
        return Walk(self.rows, self.prefixes, truncated)

    def _ends(self, catalog_keys: list[bytes]) -> list[int]:
        """Return where in each key its common prefix ends; below 0 where there is none."""
        delimiter, skip = self._delimiter, self._skip
        if not self._plain:
            return [self._end(key) for key in catalog_keys]
        if self._ends_with_name:
            found = [key.find(delimiter, skip) for key in catalog_keys]
        else:
            found = [key.find(delimiter, skip, key.find(keys.SEPARATOR)) for key in catalog_keys]
        length = len(delimiter)
        return [at + length if at >= 0 else at for at in found]

    def _end(self, catalog_key: bytes) -> int:
        """Look for a delimiter that escaping changes."""
        name = catalog_key.partition(keys.SEPARATOR)[0]
        before, raw = name[: self._skip], keys.unescape(name[self._skip :])
        at = raw.find(self._delimiter)
        if at < 0:
            return at
        return len(before) + len(keys.escape_utf8(raw[: at + len(self._delimiter)]))


def _readable(read: Callable[[], _T]) -> _T:
    try:
        return read()
    except UnicodeDecodeError as error:
        raise RecordDamagedError("", f"a key cannot be read: {error}") from error


def _common_prefix(raw: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    if not delimiter or not raw.startswith(prefix):
        return None
    at = raw.find(delimiter, len(prefix))
    return None if at < 0 else raw[: at + len(delimiter)]
