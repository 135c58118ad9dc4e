"""Buckets: creating, finding, listing and deleting them."""

from __future__ import annotations

import secrets

from ingot.base.clock import Clock
from ingot.store import keys
from ingot.store.catalog.contract import Catalog, Check, CommitConflictError, EmptyRange, Put
from ingot.store.errors import BucketExistsError, BucketNotEmptyError, NoSuchBucketError
from ingot.store.records import SCHEMA, BucketRecord, decode_bucket, encode

FENCE_CHECK = Check(keys.FENCE, keys.FENCE_VALUE)

_PARTITIONS_CACHED_MAX = 10_000


class Buckets:
    """The buckets of a store.

    A bucket is its entry in the list of buckets and its fence, in two partitions and hence in
    two commits: the fence comes first and goes first. An entry without a fence is what a crash
    leaves of a deletion; whoever meets it finishes the job.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._partitions: dict[str, str] = {}

    async def create(self, name: str) -> BucketRecord:
        """Create a bucket; the name was checked by the caller.

        Raises:
            BucketExistsError: there is one of that name.
        """
        if await self._living(name) is not None:
            raise BucketExistsError(name)
        record = BucketRecord(SCHEMA, secrets.token_hex(8), self._clock.now_ns())
        partition = keys.bucket_partition(record.bucket_id)
        await self._catalog.commit(partition, puts=[Put(keys.FENCE, keys.FENCE_VALUE)])
        try:
            await self._catalog.commit(
                keys.BUCKETS,
                checks=[Check(name.encode(), None)],
                puts=[Put(name.encode(), encode(record))],
            )
        except CommitConflictError as error:
            await self._catalog.commit(partition, deletes=[keys.FENCE])
            raise BucketExistsError(name) from error
        return record

    def get(self, name: str) -> BucketRecord:
        """Return a bucket's record as it is now.

        Raises:
            NoSuchBucketError: there is none of that name.
        """
        value = self._catalog.get(keys.BUCKETS, name.encode())
        if value is None:
            raise NoSuchBucketError(name)
        return decode_bucket(value)

    def list(
        self, *, prefix: str = "", after: str = "", limit: int = 10_000
    ) -> list[tuple[str, BucketRecord]]:
        """Return up to `limit` names and records, ordered by name, behind the name `after`."""
        start = max(prefix.encode(), keys.after(after.encode())) or keys.SEPARATOR
        stop = keys.behind_prefix(prefix.encode()) if prefix else b""
        rows = self._catalog.scan(keys.BUCKETS, start, stop, limit=limit)
        return [(name.decode(), decode_bucket(value)) for name, value in rows]

    async def delete(self, name: str) -> None:
        """Delete a bucket without objects; its unfinished uploads go with it.

        Raises:
            NoSuchBucketError: there is none of that name.
            BucketNotEmptyError: it holds objects.
        """
        record = self.get(name)
        empty = [
            EmptyRange(space, keys.behind_prefix(space)) for space in (keys.OBJECTS, keys.VERSIONS)
        ]
        try:
            await self._catalog.commit(
                keys.bucket_partition(record.bucket_id),
                checks=[FENCE_CHECK, *empty],
                deletes=[keys.FENCE],
            )
        except CommitConflictError as error:
            if await self._living(name) is None:
                raise NoSuchBucketError(name) from error
            raise BucketNotEmptyError(name) from error
        await self._unlist(name, record)

    def partition(self, name: str) -> str:
        """Return a bucket's partition, perhaps of a bucket that is gone by now.

        That is safe: a partition is never used again, writes to it fail at its fence (then call
        `refresh`), and a reader that finds nothing calls `refresh` too.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        partition = self._partitions.get(name)
        if partition is None:
            partition = keys.bucket_partition(self.get(name).bucket_id)
            if len(self._partitions) >= _PARTITIONS_CACHED_MAX:
                self._partitions.clear()
            self._partitions[name] = partition
        return partition

    def refresh(self, name: str) -> str:
        """Return a bucket's partition from the catalog.

        Raises:
            NoSuchBucketError: there is no bucket of that name, or it is being deleted.
        """
        self._partitions.pop(name, None)
        partition = self.partition(name)
        if self._catalog.get(partition, keys.FENCE) is None:
            del self._partitions[name]
            raise NoSuchBucketError(name)
        return partition

    async def _living(self, name: str) -> BucketRecord | None:
        """Return the record of a bucket with a fence; finish the deletion of one without."""
        value = self._catalog.get(keys.BUCKETS, name.encode())
        if value is None:
            return None
        record = decode_bucket(value)
        if self._catalog.get(keys.bucket_partition(record.bucket_id), keys.FENCE) is not None:
            return record
        await self._unlist(name, record)
        return None

    async def _unlist(self, name: str, record: BucketRecord) -> None:
        self._partitions.pop(name, None)
        checks = [Check(name.encode(), encode(record))]
        try:
            await self._catalog.commit(keys.BUCKETS, checks=checks, deletes=[name.encode()])
        except CommitConflictError:
            # Somebody else finished the job, and may have created the bucket anew since.
            return
