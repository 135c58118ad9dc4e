"""What all buckets hold: exact where a quota has it counted, else as the last round found it.

One process of those that share a directory goes round at a time and leaves what it found in the
catalog for the others. A round reads the records of each bucket page by page while they change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

from ingot.base.errors import Error
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.catalog.counters import decode_numbers, encode_numbers
from ingot.store.core import Core
from ingot.store.errors import RecordDamagedError
from ingot.store.quotas import Quotas
from ingot.store.records import BucketRecord
from ingot.store.usage import COUNTED_SPACES, NOTHING, Usage, total

INTERVAL_S: Final = 60.0
# A round waits so many times as long as it worked, so that requests have their turn.
_REST: Final = 10
_RETRY_S: Final = 30.0
_ROWS_MAX: Final = 1000
_BUCKETS_MAX: Final = 500
_NUMBERS: Final = len(NOTHING) + 1

_log = logging.getLogger(__name__)


class Held(NamedTuple):
    """What a bucket holds.

    Attributes:
        bucket: its name.
        record: the bucket's.
        usage: see there.
        limit_bytes: its quota; `None` without one.
        found_ns: when that was found; 0 if no round has been there yet.
    """

    bucket: str
    record: BucketRecord
    usage: Usage
    limit_bytes: int | None
    found_ns: int


class Census:
    """Goes round the buckets of a store.

    Args:
        core: the store.
        quotas: know some buckets exactly.
        lock: makes a lock that yields whether this process may go round now.
    """

    def __init__(
        self, core: Core, quotas: Quotas, lock: Callable[[], AbstractContextManager[bool]]
    ) -> None:
        self._catalog = core.catalog
        self._buckets = core.buckets
        self._bodies = core.bodies
        self._clock = core.clock
        self._quotas = quotas
        self._lock = lock

    async def run(self) -> None:
        """Go round for as long as the task lives; errors are logged."""
        while True:
            with self._lock() as granted:
                while granted:
                    began_s = time.monotonic()
                    try:
                        await self.go_round()
                    except Exception:  # noqa: BLE001 # nothing here may end the worker
                        _log.exception("store.census.failed")
                    await asyncio.sleep(max(INTERVAL_S, time.monotonic() - began_s))
            await asyncio.sleep(_RETRY_S)

    async def go_round(self) -> None:
        """Find out what the buckets hold that nobody counts, and forget those that are gone."""
        known = set()
        after = ""
        while page := self._buckets.list(after=after, limit=_BUCKETS_MAX):
            for _, record in page:
                known.add(_name_of(record))
                if self._exact(record)[0] is None:
                    await self._visit(record)
            after = page[-1][0]
        stop = keys.behind_prefix(keys.CENSUS)
        rows = self._catalog.scan(keys.MAINTENANCE, keys.CENSUS, stop, limit=len(known) + 1000)
        gone = [key for key, _ in rows if key not in known]
        if gone:
            await self._catalog.commit(keys.MAINTENANCE, deletes=gone)

    def held(self, bucket: str, record: BucketRecord) -> Held:
        """Return what a bucket holds, as far as it is known; may be called from any thread."""
        now_ns = self._clock.now_ns()
        exact, limit_bytes = self._exact(record)
        if exact is not None:
            return Held(bucket, record, exact, limit_bytes, now_ns)
        try:
            value = self._catalog.get(keys.MAINTENANCE, _name_of(record))
            *numbers, found_ns = decode_numbers(value, _NUMBERS)
        except RecordDamagedError:
            return Held(bucket, record, NOTHING, limit_bytes, 0)
        return Held(bucket, record, Usage(*numbers), limit_bytes, found_ns)

    def all(self, *, limit: int) -> list[Held]:
        """Return what the first buckets by name hold."""
        return [self.held(*pair) for pair in self._buckets.list(limit=limit)]

    def _exact(self, record: BucketRecord) -> tuple[Usage | None, int | None]:
        """Return what was counted for a bucket's quota, and the quota."""
        place = self._buckets.place_in(keys.bucket_partition(record.bucket_id))
        if place is None or place.rules.quota is None:
            return None, None
        try:
            return self._quotas.counted(place), place.rules.quota.size_bytes
        except RecordDamagedError:
            return None, place.rules.quota.size_bytes

    async def _visit(self, record: BucketRecord) -> None:
        partition = keys.bucket_partition(record.bucket_id)
        found = NOTHING
        for space in COUNTED_SPACES:
            start, stop = space, keys.behind_prefix(space)
            while start:
                began_s = time.monotonic()
                usage, start = await self._bodies.run(self._page, partition, start, stop)
                found = found.plus(usage)
                if start:
                    await asyncio.sleep(_REST * (time.monotonic() - began_s))
        value = encode_numbers((*found, self._clock.now_ns()))
        try:
            put = Put(_name_of(record), value)
            await self._catalog.commit(keys.MAINTENANCE, puts=[put])
        except Error as error:
            _log.warning("store.census.unkept %s", error)

    def _page(self, partition: str, start: bytes, stop: bytes) -> tuple[Usage, bytes]:
        """Return what a page of rows holds and where the next one begins; empty behind the last."""
        rows = self._catalog.scan(partition, start, stop, limit=_ROWS_MAX)
        return total(rows), keys.after(rows[-1][0]) if len(rows) == _ROWS_MAX else b""


def _name_of(record: BucketRecord) -> bytes:
    return keys.CENSUS + record.bucket_id.encode()
