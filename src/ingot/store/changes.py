"""Changing what is under a key: read, decide, commit, and again if somebody was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from ingot.base.clock import Clock
from ingot.store import keys
from ingot.store.buckets import FENCE_CHECK, Buckets
from ingot.store.catalog.contract import Catalog, Check, CommitConflictError, Put
from ingot.store.errors import StoreBusyError
from ingot.store.records import (
    SCHEMA,
    GarbageRecord,
    ObjectRecord,
    decode_manifest,
    decode_object,
    encode,
)

# Called with the ETag of the object under the key now (None when there is none); it raises what
# the writer is to be told when the write must not happen.
Precondition = Callable[[str | None], None]

# Each round lets one of the contenders for a key through, so this many may contend.
COMMIT_ATTEMPTS_MAX = 1000
# Blobs of overwritten objects wait this long for readers that hold the old record.
GARBAGE_DELAY_S = 15 * 60
GARBAGE_BLOBS_MAX = 1000

_NS_PER_S = 10**9

Result = TypeVar("Result")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a write wants, decided on the state it read.

    Attributes:
        record: the object to be under the key; `None` to remove what is there.
        attachment: the inline body or manifest of `record`.
        checks: what else must hold in the bucket's partition.
        deletes: other keys of the partition that go with this change.
        released: blobs that lose their last record beside those of the replaced object.
    """

    record: ObjectRecord | None
    attachment: bytes | None = None
    checks: Sequence[Check] = ()
    deletes: Sequence[bytes] = ()
    released: Sequence[str] = ()


class Changes:
    """Commits changes to the objects of a store."""

    def __init__(
        self, catalog: Catalog, buckets: Buckets, clock: Clock, *, garbage_delay_s: float
    ) -> None:
        self._catalog = catalog
        self._buckets = buckets
        self._clock = clock
        self._garbage_delay_ns = int(garbage_delay_s * _NS_PER_S)

    async def attempt(self, bucket: str, step: Callable[[str], Awaitable[Result]]) -> Result:
        """Do a step that reads and commits, again for as long as others are faster.

        Args:
            bucket: the bucket's name.
            step: called with the bucket's partition; every commit of it demands the fence.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            StoreBusyError: others were faster too often.
        """
        partition = self._buckets.partition(bucket)
        for _ in range(COMMIT_ATTEMPTS_MAX):
            try:
                return await step(partition)
            except CommitConflictError:
                partition = self._buckets.refresh(bucket)
        raise StoreBusyError(f"too many writers change the same in bucket {bucket!r}")

    async def apply(
        self,
        bucket: str,
        key: str,
        plan: Callable[[str], Plan],
        *,
        precondition: Precondition | None = None,
    ) -> ObjectRecord | None:
        """Replace the object under a key and return the new record.

        Args:
            bucket: the bucket's name.
            key: the object's key.
            plan: called with the bucket's partition, anew for each attempt.
            precondition: see `Precondition`; what it saw is what is replaced.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            StoreBusyError: others were faster too often.
        """
        object_key = keys.object_key(key)

        async def step(partition: str) -> ObjectRecord | None:
            old = self._catalog.get(partition, object_key)
            if precondition is not None:
                precondition(None if old is None else decode_object(old).etag)
            wanted = plan(partition)
            if wanted.record is not None or old is not None:
                await self._commit(partition, object_key, old, wanted)
            return wanted.record

        return await self.attempt(bucket, step)

    async def remove_all(self, bucket: str, names: Iterable[str]) -> None:
        """Remove the objects of many keys in one commit; those that are not there are done."""
        object_keys = {keys.object_key(name) for name in names}
        self._buckets.refresh(bucket)

        async def step(partition: str) -> None:
            checks = [FENCE_CHECK]
            deletes: list[bytes] = []
            released: list[str] = []
            for object_key in object_keys:
                old = self._catalog.get(partition, object_key)
                if old is not None:
                    checks.append(Check(object_key, old))
                    deletes.append(object_key)
                    released += self.blob_ids(partition, object_key, old)
            if deletes:
                await self._catalog.commit(
                    partition, checks=checks, puts=self.garbage(released), deletes=deletes
                )

        await self.attempt(bucket, step)

    def garbage(self, blob_ids: Sequence[str]) -> list[Put]:
        """Return the entries of the garbage queue for blobs that lose their record."""
        if not blob_ids:
            return []
        due_ns = self._clock.now_ns() + self._garbage_delay_ns
        return [
            Put(
                keys.garbage_key(due_ns),
                encode(GarbageRecord(SCHEMA, tuple(blob_ids[at : at + GARBAGE_BLOBS_MAX]))),
            )
            for at in range(0, len(blob_ids), GARBAGE_BLOBS_MAX)
        ]

    def blob_ids(self, partition: str, key: bytes, value: bytes) -> list[str]:
        """Return the blobs of an object record, reading its manifest if it has one."""
        record = decode_object(value)
        if record.blob is not None:
            return [record.blob.id]
        if record.layout != "manifest":
            return []
        stored = self._catalog.get_with_attachment(partition, key)
        if stored is None or stored[0] != value or stored[1] is None:
            return []  # changed meanwhile: the commit that asked will not go through
        return [part.blob.id for part in decode_manifest(stored[1]) if part.blob is not None]

    async def _commit(
        self, partition: str, object_key: bytes, old: bytes | None, wanted: Plan
    ) -> None:
        released = [*wanted.released]
        if old is not None:
            released += self.blob_ids(partition, object_key, old)
        puts = self.garbage(released)
        deletes = wanted.deletes
        if wanted.record is None:
            deletes = [*deletes, object_key]
        else:
            puts.append(Put(object_key, encode(wanted.record), wanted.attachment))
        await self._catalog.commit(
            partition,
            checks=(FENCE_CHECK, Check(object_key, old), *wanted.checks),
            puts=puts,
            deletes=deletes,
        )
