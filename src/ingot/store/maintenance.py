"""What is done in the background: the garbage queue, orphaned blobs, remains of crashes.

One process of those that share a directory does it at a time; everything here may be interrupted
at any point and be begun again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from ingot.base import failpoints
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.core import Core
from ingot.store.errors import RecordDamagedError
from ingot.store.quotas import Quotas
from ingot.store.records import decode_garbage, decode_part, decode_upload
from ingot.store.uploads import Uploads

INTERVAL_S = 30.0
_INTERVAL_S_MIN = 1.0
# In one round; a step is 1 MiB, and the next round goes on.
_GIVE_BACK_STEPS_MAX = 4096
UPLOAD_EXPIRY_S = 24 * 3600
_NS_PER_S = 10**9

_ROWS_MAX = 500

_log = logging.getLogger(__name__)

Row = tuple[bytes, bytes]


class StoppedError(Exception):
    """The store is being closed; nothing was decided."""


class Maintenance:
    """The background work of a store.

    Args:
        lock: makes a lock that yields whether this process may do the work now.
        garbage_lock: makes one that yields whether garbage may go, or somebody still needs it.
        upload_expiry_s: how long an upload may rest before it is aborted; 0 for ever.
        garbage_delay_s: how long garbage waits; it is looked for more often when that is short.
    """

    def __init__(
        self,
        core: Core,
        uploads: Uploads,
        quotas: Quotas,
        lock: Callable[[], AbstractContextManager[bool]],
        garbage_lock: Callable[[], AbstractContextManager[bool]],
        *,
        upload_expiry_s: float,
        garbage_delay_s: float,
    ) -> None:
        self._garbage_delay_s = garbage_delay_s
        self._upload_expiry_ns = int(upload_expiry_s * _NS_PER_S)
        self._catalog = core.catalog
        self._bodies = core.bodies
        self._blobs = core.bodies.blobs
        self._versions = core.changes.versions
        self._clock = core.clock
        self._uploads = uploads
        self._quotas = quotas
        self._lock = lock
        self._garbage_lock = garbage_lock
        self._stopping = threading.Event()

    async def run(self) -> None:
        """Do the work for as long as the task lives; errors are logged and tried again."""
        interval_s = min(INTERVAL_S, max(_INTERVAL_S_MIN, self._garbage_delay_s))
        while True:
            with self._lock() as granted:
                while granted:
                    await self._round()
                    await asyncio.sleep(interval_s)
            await asyncio.sleep(interval_s)

    def stop(self) -> None:
        """Let work in threads end early; what it was about is left for the next time."""
        self._stopping.set()

    async def sweep(self) -> int:
        """Remove what ended sessions left unfinished; return how many blobs that were."""
        ended = await self._bodies.run(self._blobs.ended_sessions)
        if not ended:
            return 0
        await self._settle_catalog()
        for partition in await self._partitions():
            for upload_id in await self._bodies.run(self._ended_uploads, partition):
                await self._uploads.clear_parts(partition, upload_id)
        return await self._bodies.run(self._delete_orphans, ended)

    async def collect(self) -> int:
        """Delete the blobs of the garbage queue that are due; return how many.

        While a backup runs, everything stays.
        """
        with self._garbage_lock() as granted:
            return await self._collect() if granted else 0

    async def _collect(self) -> int:
        count = 0
        for partition in await self._partitions():
            if await self._is_fenced(partition):
                stop = keys.garbage_due_by(self._clock.now_ns())
                count += await self._drain(partition, keys.GARBAGE, stop)
            else:
                # The bucket was deleted: nobody reads or writes here any more.
                for space in (keys.UPLOADS, keys.PARTS, keys.GARBAGE, keys.PROMOTED):
                    count += await self._drain(partition, space, keys.behind_prefix(space))
        return count

    async def expire(self) -> int:
        """Abort uploads that rest for too long; return how many.

        What counts is when an upload was begun or got its last part: a slow one is not stale.
        """
        if not self._upload_expiry_ns:
            return 0
        count = 0
        for partition in await self._partitions():
            for upload_key, value in await self._bodies.run(self._stale_uploads, partition):
                count += await self._uploads.end(partition, upload_key, value)
        return count

    async def count(self) -> int:
        """Count for quotas what somebody began to count and did not finish; return how often."""
        return sum([await self._quotas.count(name) for name in await self._partitions()])

    def _stale_uploads(self, partition: str) -> list[Row]:
        limit_ns = self._clock.now_ns() - self._upload_expiry_ns
        stale = (
            row
            for row in self._rows(partition, keys.UPLOADS)
            if self._rests(partition, row, limit_ns)
        )
        return list(itertools.islice(stale, _ROWS_MAX))

    def _rests(self, partition: str, row: Row, limit_ns: int) -> bool:
        upload = decode_upload(row[1])
        if upload.initiated_ns > limit_ns:
            return False
        parts = self._rows(partition, keys.parts_prefix(upload.upload_id))
        return all(decode_part(value).modified_ns <= limit_ns for _, value in parts)

    async def _round(self) -> None:
        done = []
        for name, work in (
            ("orphans", self.sweep),
            ("uploads", self.expire),
            ("garbage", self.collect),
            ("counted", self.count),
            ("given_back", self._give_back),
        ):
            try:
                done.append((name, await work()))
            except StoppedError:
                return
            except Exception:  # noqa: BLE001 # damage that one meets must not keep the others
                _log.exception("store.maintenance.failed %s", name)
        if any(count for _, count in done):
            counts = " ".join(f"{name}={count}" for name, count in done)
            _log.info("store.maintenance.done %s", counts)

    async def _give_back(self) -> int:
        """Give room that deletions left in the catalog back to the device; return the steps."""
        for step in range(_GIVE_BACK_STEPS_MAX):
            if self._stopping.is_set() or not await self._bodies.run(self._catalog.give_back):
                return step
        return _GIVE_BACK_STEPS_MAX

    async def _settle_catalog(self) -> None:
        """Make sure that no unfinished commit of a dead process comes into force any more.

        A writer that died between logging a commit and publishing it leaves one that nobody sees
        while the catalog stays open somewhere, but that counts again when it is opened anew. A
        commit of our own takes its place in the log: from here on it either is visible or never
        will be, and what the catalog says about the blobs of ended sessions is final.
        """
        # Each time the mark moves, so that there is always something to write; a commit that
        # deletes goes through on a full device too.
        here, there = keys.MARKS
        if await self._bodies.run(self._catalog.get, keys.MAINTENANCE, here) is None:
            here, there = there, here
        await self._catalog.commit(keys.MAINTENANCE, puts=[Put(there, b"")], deletes=[here])

    async def _partitions(self) -> list[str]:
        names = await self._bodies.run(lambda: list(self._catalog.partitions()))
        return [name for name in names if keys.is_bucket_partition(name)]

    async def _is_fenced(self, partition: str) -> bool:
        return await self._bodies.run(self._catalog.get, partition, keys.FENCE) is not None

    async def _drain(self, partition: str, space: bytes, stop: bytes) -> int:
        """Remove the rows of a space and, before them, the blobs they name."""
        count = 0
        while rows := await self._scan(partition, space, stop):
            blob_ids = [blob_id for row in rows for blob_id in _blob_ids(space, row[1])]
            await self._bodies.run(self._blobs.delete, blob_ids)
            failpoints.reach("garbage.deleted")
            await self._catalog.commit(partition, deletes=[key for key, _ in rows])
            count += len(blob_ids)
        return count

    async def _scan(self, partition: str, start: bytes, stop: bytes) -> list[Row]:
        return await self._bodies.run(
            lambda: self._catalog.scan(partition, start, stop, limit=_ROWS_MAX)
        )

    def _ended_uploads(self, partition: str) -> set[str]:
        """Return the uploads that have parts but no record: their end was interrupted."""
        # Parts first: whatever has parts now and is in progress has its record still.
        with_parts = {
            key[len(keys.PARTS) :].partition(keys.SEPARATOR)[0].decode()
            for key, _ in self._rows(partition, keys.PARTS)
        }
        if with_parts:
            for _, value in self._rows(partition, keys.UPLOADS):
                with_parts.discard(decode_upload(value).upload_id)
        return with_parts

    def _delete_orphans(self, ended: Sequence[str]) -> int:
        with contextlib.ExitStack() as claims:
            sessions = [
                session for session in ended if claims.enter_context(self._blobs.claim(session))
            ]
            count = self._blobs.sweep(sessions, self._referenced)
            failpoints.reach("sweep.deleted")
            for session in sessions:
                self._blobs.settle(session)
        return count

    def _referenced(self) -> Iterator[str]:
        """Yield the id of every blob that a record names."""
        for partition in self._catalog.partitions():
            # A blob's references move from left to right (part, object, version, garbage), each
            # time in one commit: read in this order, none is missed while it moves. Only a
            # promoted version moves from right to left, and leaves a mark.
            before = None
            while before is None or before != self._mark(partition):
                before = self._mark(partition)
                for space in (keys.PARTS, keys.OBJECTS, keys.VERSIONS, keys.GARBAGE):
                    yield from self._referenced_by(partition, space)

    def _mark(self, partition: str) -> bytes:
        return self._catalog.get(partition, keys.PROMOTED) or b""

    def _referenced_by(self, partition: str, space: bytes) -> Iterator[str]:
        for key, value in self._rows(partition, space):
            if space in (keys.OBJECTS, keys.VERSIONS):
                yield from self._versions.blob_ids(partition, key, value)
            else:
                yield from _blob_ids(space, value)

    def _rows(self, partition: str, space: bytes) -> Iterator[Row]:
        start, stop = space, keys.behind_prefix(space)
        while rows := self._catalog.scan(partition, start, stop, limit=_ROWS_MAX):
            if self._stopping.is_set():
                raise StoppedError
            yield from rows
            start = keys.after(rows[-1][0])


def _blob_ids(space: bytes, value: bytes) -> Sequence[str]:
    """Return the blobs that a part or an entry of the garbage queue names."""
    if space == keys.GARBAGE:
        try:
            return decode_garbage(value).blob_ids
        except RecordDamagedError as error:
            # What it names might belong to others; the sweep finds what is left behind.
            _log.error("store.damaged garbage is forgotten: %s", error)
            return []
    blob = decode_part(value).blob if space == keys.PARTS else None
    return [] if blob is None else [blob.id]
