"""What may be changed of an object that stays: its tags, its retention and its legal hold."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ingot.base import failpoints
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Check, CommitConflictError, Put
from ingot.store.core import Core
from ingot.store.errors import BucketUnlockableError, ObjectLockedError
from ingot.store.locks import NO_LOCK, may_retain
from ingot.store.objects import Objects
from ingot.store.records import ObjectRecord
from ingot.store.seals import open_object, seal_object


class Annotations:
    """What is said of the objects of a store beside their content."""

    def __init__(self, core: Core, objects: Objects) -> None:
        self._catalog = core.catalog
        self._changes = core.changes
        self._clock = core.clock
        self._objects = objects

    async def set_tags(
        self, bucket: str, key: str, tags: dict[str, str], *, version_id: str | None = None
    ) -> ObjectRecord:
        """Replace the tags of an object or a version, which stays the same otherwise.

        Raises:
            NoSuchBucketError: the bucket does not exist; the rest is as for `get`.
        """

        def change(record: ObjectRecord, place: BucketPlace) -> ObjectRecord:
            attributes = msgspec.structs.replace(record.attributes, tags=tags)
            return msgspec.structs.replace(record, attributes=attributes)

        return await self._amend(bucket, key, version_id, change)

    async def set_retention(
        self,
        bucket: str,
        key: str,
        mode: str,
        until_ns: int,
        *,
        version_id: str | None = None,
        bypass_governance: bool = False,
    ) -> ObjectRecord:
        """Keep an object or a version until a time; an empty mode takes the retention away.

        Raises:
            NoSuchBucketError: the bucket does not exist; the rest is as for `get`.
            BucketUnlockableError: the bucket has no object lock.
            ObjectLockedError: what keeps it now must not become less.
        """

        def change(record: ObjectRecord, place: BucketPlace) -> ObjectRecord:
            if not place.rules.lockable:
                raise BucketUnlockableError(bucket)
            old = record.lock or NO_LOCK
            new = msgspec.structs.replace(old, mode=mode, until_ns=until_ns)
            now_ns = self._clock.now_ns()
            if not may_retain(old, new, now_ns, bypass_governance=bypass_governance):
                raise ObjectLockedError(bucket, key, record.version_id)
            return msgspec.structs.replace(record, lock=new)

        return await self._amend(bucket, key, version_id, change)

    async def set_legal_hold(
        self, bucket: str, key: str, *, on: bool, version_id: str | None = None
    ) -> ObjectRecord:
        """Keep an object or a version until the hold is taken off again.

        Raises:
            NoSuchBucketError: the bucket does not exist; the rest is as for `get`.
            BucketUnlockableError: the bucket has no object lock.
        """

        def change(record: ObjectRecord, place: BucketPlace) -> ObjectRecord:
            if not place.rules.lockable:
                raise BucketUnlockableError(bucket)
            lock = msgspec.structs.replace(record.lock or NO_LOCK, hold=on)
            return msgspec.structs.replace(record, lock=lock)

        return await self._amend(bucket, key, version_id, change)

    async def _amend(
        self,
        bucket: str,
        key: str,
        version_id: str | None,
        change: Callable[[ObjectRecord, BucketPlace], ObjectRecord],
    ) -> ObjectRecord:
        """Change what is said of an object or a version, which stays the same otherwise."""

        async def step(place: BucketPlace) -> ObjectRecord:
            # What is there is an object: `get` raises what is to be said of anything else.
            self._objects.get(bucket, key, version_id=version_id)
            found = self._changes.versions.find(place.partition, key, version_id)
            if found is None:
                raise CommitConflictError(f"{key!r} changed meanwhile")
            old, attachment = found.stored
            record = change(open_object(key, old, attachment), place)
            await self._catalog.commit(
                place.partition,
                checks=[place.fence, Check(found.catalog_key, old)],
                puts=[Put(found.catalog_key, seal_object(key, record, attachment), attachment)],
            )
            return record

        record = await self._changes.attempt(bucket, step)
        failpoints.reach("object.annotated")
        return record
