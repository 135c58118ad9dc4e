"""A catalog in memory: the reference that the others are compared with, and for tests."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Awaitable, Iterator, Sequence

from ingot.store.catalog.contract import (
    Add,
    CeilingError,
    Check,
    CommitConflictError,
    Displaced,
    EmptyRange,
    Prior,
    Put,
    assert_valid,
    behind,
)
from ingot.store.catalog.counters import added
from ingot.store.errors import RecordDamagedError, StoreFailedError

_Stored = tuple[bytes, bytes | None]


class _Partition:
    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.stored: dict[bytes, _Stored] = {}

    def put(self, put: Put) -> None:
        if put.key not in self.stored:
            bisect.insort(self.keys, put.key)
        self.stored[put.key] = (put.value, put.attachment)

    def delete(self, key: bytes) -> None:
        if self.stored.pop(key, None) is not None:
            del self.keys[bisect.bisect_left(self.keys, key)]

    def follow(
        self, puts: Sequence[Put], deletes: Sequence[bytes], displaced: Displaced | None
    ) -> Sequence[Put]:
        """Return what follows from what a commit takes away."""
        if displaced is None:
            return ()
        doomed = (*(put.key for put in puts), *deletes)
        return displaced.puts(
            [displaced.look(key, self.stored[key][0]) for key in doomed if key in self.stored]
        )

    def range(self, start: bytes, stop: bytes) -> list[bytes]:
        first = bisect.bisect_left(self.keys, start)
        last = bisect.bisect_left(self.keys, stop) if stop else len(self.keys)
        return self.keys[first:last]

    def value(self, key: bytes) -> bytes | None:
        stored = self.stored.get(key)
        return None if stored is None else stored[0]

    def holds(self, check: Check | EmptyRange) -> bool:
        if isinstance(check, EmptyRange):
            return not self.range(check.start, check.stop)
        return self.value(check.key) == check.expected


class MemoryCatalog:
    """A `Catalog` of one process that forgets everything when it is closed."""

    def __init__(self) -> None:
        self._partitions: dict[str, _Partition] = {}
        self.failure: str | None = None

    def get(self, partition: str, key: bytes) -> bytes | None:
        """Return a key's value."""
        stored = self.get_with_attachment(partition, key)
        return None if stored is None else stored[0]

    def get_with_attachment(self, partition: str, key: bytes) -> _Stored | None:
        """Return a key's value and attachment."""
        found = self._partitions.get(partition)
        return None if found is None else found.stored.get(key)

    def get_beside(
        self, partition: str, key: bytes, other: bytes
    ) -> tuple[bytes, bytes | None, bytes | None] | None:
        """Return a key's value and attachment, and another key's value."""
        stored = self.get_with_attachment(partition, key)
        return None if stored is None else (*stored, self.get(partition, other))

    def scan(
        self, partition: str, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return a range of keys and values."""
        found = self._partitions.get(partition)
        if found is None:
            return []
        keys = found.range(start, stop)
        if reverse:
            keys.reverse()
        return [(key, found.stored[key][0]) for key in keys[:limit]]

    def skim(
        self, partition: str, start: bytes, stop: bytes, *, skip: int, delimiter: bytes, limit: int
    ) -> list[tuple[bytes, bytes | None]]:
        """Return the first key of each group."""
        found: list[tuple[bytes, bytes | None]] = []
        while len(found) < limit and (rows := self.scan(partition, start, stop, limit=1)):
            key, value = rows[0]
            at = key.find(delimiter, skip)
            found.append((key, value if at < 0 else None))
            start = key + b"\1" if at < 0 else key[:at] + behind(delimiter)
        return found

    def survey(
        self, partition: str, ranges: Sequence[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is in some ranges at one moment."""
        found = self._partitions.get(partition)
        # One step of the interpreter each, so that other threads cannot get between.
        moment = {} if found is None else found.stored.copy()
        for start, stop in ranges:
            for key in sorted(key for key in moment if start <= key < stop):
                yield key, moment[key][0]

    def partitions(self) -> Iterator[str]:
        """Yield the partitions that hold keys."""
        yield from sorted(name for name, held in self._partitions.items() if held.keys)

    def commit(
        self,
        partition: str,
        *,
        checks: Sequence[Check | EmptyRange] = (),
        puts: Sequence[Put] = (),
        deletes: Sequence[bytes] = (),
        adds: Sequence[Add] = (),
        prior: Prior | None = None,
        displaced: Displaced | None = None,
    ) -> Awaitable[None]:
        """Apply the commit at once."""
        assert_valid(puts, deletes, adds)
        future = asyncio.get_running_loop().create_future()
        held = self._partitions.setdefault(partition, _Partition())
        unsealed = None if prior is None else prior.seal_all([prior])[0]
        if self.failure is not None:
            future.set_exception(StoreFailedError(self.failure))
        elif unsealed is not None:
            future.set_exception(unsealed)
        elif not all(held.holds(check) for check in checks):
            future.set_exception(CommitConflictError(f"a key of {partition} changed meanwhile"))
        else:
            try:
                sums = [Put(add.key, added(held.value(add.key), add)) for add in adds]
                follows = held.follow(puts, deletes, displaced)
            except (CeilingError, CommitConflictError, RecordDamagedError) as error:
                future.set_exception(error)
                return future
            for put in (*puts, *sums, *follows):
                held.put(put)
            for key in deletes:
                held.delete(key)
            future.set_result(None)
        return future

    def fail(self, reason: str) -> None:
        """Refuse commits from now on."""
        self.failure = self.failure or reason

    def give_back(self) -> bool:
        """Do nothing: memory has no device."""
        return False

    def close(self) -> None:
        """Refuse commits from now on."""
        self.failure = "the catalog is closed"
