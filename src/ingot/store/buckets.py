"""Buckets: creating, finding, listing and deleting them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from ingot.base import failpoints
from ingot.base.clock import Clock
from ingot.store import keys
from ingot.store.catalog.contract import Catalog, Check, CommitConflictError, EmptyRange, Put
from ingot.store.errors import (
    BucketExistsError,
    BucketLockedError,
    BucketNotEmptyError,
    BucketUnversionedError,
    NoSuchBucketError,
)
from ingot.store.fences import Rules, Versioning, decode_fence, encode_fence
from ingot.store.locks import LockRule
from ingot.store.records import SCHEMA, BucketRecord, decode_bucket, encode_summed

_PLACES_CACHED_MAX = 10_000
_OPEN = Rules(Versioning.OFF)
_LOCKABLE = Rules(Versioning.ENABLED, lockable=True)


class BucketPlace(NamedTuple):
    """Where a bucket's objects are, and by which rules they are written.

    Attributes:
        partition: the bucket's partition.
        rules: as its fence said when it was read.
        fence: demands that it says so still; part of every commit.
    """

    partition: str
    rules: Rules
    fence: Check


class Buckets:
    """The buckets of a store.

    A bucket is its entry in the list of buckets and its fence, in two partitions and hence in
    two commits: the fence comes first and goes first. An entry without a fence is what a crash
    leaves of a deletion; whoever meets it finishes the job.
    """

    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock
        self._places: dict[str, BucketPlace] = {}

    async def create(self, name: str, *, lockable: bool = False) -> BucketRecord:
        """Create a bucket; the name was checked by the caller.

        Args:
            name: the bucket's.
            lockable: its objects may be locked, so their versions are kept.

        Raises:
            BucketExistsError: there is one of that name.
        """
        if await self._living(name) is not None:
            raise BucketExistsError(name)
        record = BucketRecord(SCHEMA, secrets.token_hex(8), self._clock.now_ns())
        partition = keys.bucket_partition(record.bucket_id)
        fence = encode_fence(_LOCKABLE if lockable else _OPEN)
        await self._catalog.commit(partition, puts=[Put(keys.FENCE, fence)])
        failpoints.reach("bucket.fenced")
        try:
            await self._catalog.commit(
                keys.BUCKETS,
                checks=[Check(name.encode(), None)],
                puts=[Put(name.encode(), encode_summed(record))],
            )
        except CommitConflictError as error:
            await self._catalog.commit(partition, deletes=[keys.FENCE])
            raise BucketExistsError(name) from error
        failpoints.reach("bucket.created")
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
        """Return up to `limit` names and records, ordered by name, behind the name `after`.

        What a crash left of a deleted bucket is not among them.
        """
        start = max(prefix.encode(), keys.after(after.encode())) or keys.SEPARATOR
        stop = keys.behind_prefix(prefix.encode()) if prefix else b""
        found: list[tuple[str, BucketRecord]] = []
        while rows := self._catalog.scan(keys.BUCKETS, start, stop, limit=limit - len(found)):
            records = [(name.decode(), decode_bucket(value)) for name, value in rows]
            found += [
                row
                for row in records
                if self.place_in(keys.bucket_partition(row[1].bucket_id)) is not None
            ]
            if len(found) == limit:
                break
            start = keys.after(rows[-1][0])
        return found

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
        partition = keys.bucket_partition(record.bucket_id)
        while (place := self.place_in(partition)) is not None:
            try:
                await self._catalog.commit(
                    partition, checks=[place.fence, *empty], deletes=[keys.FENCE, keys.USAGE]
                )
            except CommitConflictError as error:
                if place == self.place_in(partition):
                    raise BucketNotEmptyError(name) from error
            else:
                failpoints.reach("bucket.unfenced")
                await self._unlist(name, record)
                failpoints.reach("bucket.deleted")
                return
        await self._unlist(name, record)
        raise NoSuchBucketError(name)

    def rules(self, name: str) -> Rules:
        """Return by which rules a bucket's objects are written now.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        return self.refresh(name).rules

    async def set_versioning(self, name: str, versioning: Versioning) -> None:
        """Let a bucket keep versions, or keep no new ones; writes that began before obey too.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
            BucketLockedError: its objects may be locked, so versions are kept for ever.
        """
        assert versioning is not Versioning.OFF, (
            "a bucket's versions are suspended, never forgotten"
        )
        while (place := self.refresh(name)).rules.versioning is not versioning:
            if place.rules.lockable:
                raise BucketLockedError(name)
            await self._set_rules(place, place.rules._replace(versioning=versioning))

    async def set_lock(self, name: str, rule: LockRule | None) -> None:
        """Let a bucket's objects be locked, for ever, and say what new ones get.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
            BucketUnversionedError: it does not keep versions.
        """
        while True:
            place = self.refresh(name)
            wanted = place.rules._replace(lockable=True, lock_rule=rule)
            if place.rules == wanted:
                return
            if place.rules.versioning is not Versioning.ENABLED:
                raise BucketUnversionedError(name)
            await self._set_rules(place, wanted)

    async def set_tags(self, name: str, tags: dict[str, str]) -> None:
        """Replace a bucket's tags; their limits are the caller's business.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        await self._amend(name, lambda record: msgspec.structs.replace(record, tags=tags))

    async def set_setting(self, name: str, setting: str, document: str | None) -> None:
        """Replace a document of a bucket's, or take it away; the caller knows what it means.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """

        def change(record: BucketRecord) -> BucketRecord:
            settings = {key: value for key, value in record.settings.items() if key != setting}
            if document is not None:
                settings[setting] = document
            return msgspec.structs.replace(record, settings=settings)

        await self._amend(name, change)

    async def _amend(self, name: str, change: Callable[[BucketRecord], BucketRecord]) -> None:
        """Change a bucket's record, whatever others change meanwhile."""
        catalog_key = name.encode()
        while True:
            value = self._catalog.get(keys.BUCKETS, catalog_key)
            if value is None:
                raise NoSuchBucketError(name)
            record = change(decode_bucket(value))
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    keys.BUCKETS,
                    checks=[Check(catalog_key, value)],
                    puts=[Put(catalog_key, encode_summed(record))],
                )
                failpoints.reach("bucket.amended")
                return

    def place(self, name: str) -> BucketPlace:
        """Return a bucket's place as it was once; the bucket may have changed or gone since.

        That is safe: a partition is never used again, writes to it fail at the fence (then call
        `refresh`), and a reader that finds nothing calls `refresh` too.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        return self._places.get(name) or self.refresh(name)

    def partition(self, name: str) -> str:
        """Return the partition of a bucket's place; see `place`."""
        return self.place(name).partition

    def refresh(self, name: str) -> BucketPlace:
        """Return a bucket's place from the catalog.

        Raises:
            NoSuchBucketError: there is no bucket of that name, or it is being deleted.
        """
        self._places.pop(name, None)
        place = self.place_in(keys.bucket_partition(self.get(name).bucket_id))
        if place is None:
            raise NoSuchBucketError(name)
        if len(self._places) >= _PLACES_CACHED_MAX:
            self._places.clear()
        self._places[name] = place
        return place

    def place_in(self, partition: str) -> BucketPlace | None:
        """Return the place of the bucket in a partition; `None` once it was deleted."""
        fence = self._catalog.get(partition, keys.FENCE)
        if fence is None:
            return None
        return BucketPlace(partition, decode_fence(fence), Check(keys.FENCE, fence))

    async def _set_rules(self, place: BucketPlace, rules: Rules) -> None:
        """Change the rules unless others were faster."""
        put = Put(keys.FENCE, encode_fence(rules))
        with contextlib.suppress(CommitConflictError):
            await self._catalog.commit(place.partition, checks=[place.fence], puts=[put])
            failpoints.reach("bucket.ruled")

    async def _living(self, name: str) -> BucketRecord | None:
        """Return the record of a bucket with a fence; finish the deletion of one without."""
        value = self._catalog.get(keys.BUCKETS, name.encode())
        if value is None:
            return None
        record = decode_bucket(value)
        if self.place_in(keys.bucket_partition(record.bucket_id)) is not None:
            return record
        await self._unlist(name, record)
        return None

    async def _unlist(self, name: str, record: BucketRecord) -> None:
        self._places.pop(name, None)
        catalog_key = name.encode()
        while (value := self._catalog.get(keys.BUCKETS, catalog_key)) is not None:
            if decode_bucket(value).bucket_id != record.bucket_id:
                return  # somebody else finished the job, and the bucket was made anew since
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    keys.BUCKETS, checks=[Check(catalog_key, value)], deletes=[catalog_key]
                )
