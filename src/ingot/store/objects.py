"""Objects: reading, writing, copying, deleting and listing them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping

import msgspec

from ingot.base import failpoints
from ingot.s3 import checksums
from ingot.s3.checksums import FULL_OBJECT
from ingot.store import keys
from ingot.store.blobs.contract import BlobRef
from ingot.store.bodies import Body
from ingot.store.changes import Plan, Precondition, Removed, removed_by
from ingot.store.core import Core
from ingot.store.errors import (
    DeletedError,
    DeleteMarkerError,
    NoSuchKeyError,
    NoSuchVersionError,
)
from ingot.store.keys import NULL_VERSION
from ingot.store.listing import position_after, walk
from ingot.store.locks import Lock
from ingot.store.pages import Page, VersionsPage
from ingot.store.records import (
    NO_ATTRIBUTES,
    SCHEMA,
    Attributes,
    Layout,
    ObjectRecord,
    PartRecord,
    encode,
)
from ingot.store.seals import decode_page, open_object, storage_classes_of
from ingot.store.stored import StoredObject
from ingot.store.version_listing import VersionsQuery, list_versions


class Objects:
    """The objects of a store."""

    def __init__(self, core: Core) -> None:
        self._catalog = core.catalog
        self._buckets = core.buckets
        self._changes = core.changes
        self._bodies = core.bodies
        self._clock = core.clock

    def get(self, bucket: str, key: str, *, version_id: str | None = None) -> StoredObject:
        """Return an object, or one of its versions, with what `read` needs of the catalog.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchKeyError: it holds no such object; a `DeletedError` if there was one.
            NoSuchVersionError: the object has no such version.
            DeleteMarkerError: the version is a delete marker.
            RecordDamagedError: what the catalog holds of it is not what was written.
        """
        if version_id is not None:
            return self._version(bucket, key, version_id)
        object_key = keys.object_key(key)
        place = self._buckets.place(bucket)
        found = self._catalog.get_beside(place.partition, object_key, keys.FENCE)
        if found is None:
            # The remembered partition may be that of a bucket which was deleted and made anew.
            place = self._buckets.refresh(bucket)
            found = self._catalog.get_beside(place.partition, object_key, keys.FENCE)
            if found is None:
                newest = self._changes.versions.newest(place.partition, key)
                if newest is not None and newest.delete_marker:
                    raise DeletedError(bucket, key, newest.version_id)
                raise NoSuchKeyError(bucket, key)
        value, attachment, fence = found
        if fence != place.fence.expected:
            place = self._buckets.refresh(bucket)
        record = open_object(key, value, attachment)
        return StoredObject(bucket, key, record, attachment, versioned=place.rules.versioned)

    def _version(self, bucket: str, key: str, version_id: str) -> StoredObject:
        place = self._buckets.refresh(bucket)
        found = self._changes.versions.find(place.partition, key, version_id)
        if found is None:
            raise NoSuchVersionError(bucket, key, version_id)
        stored = found.stored
        record = open_object(key, *stored)
        if record.delete_marker:
            raise DeleteMarkerError(bucket, key, version_id, record.modified_ns)
        versioned = place.rules.versioned
        return StoredObject(bucket, key, record, stored.attachment, versioned=versioned)

    def read(
        self, stored: StoredObject, start: int = 0, length: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes `[start, start + length)` of an object in verified pieces.

        Raises:
            BlobDamagedError: (on iteration) what is stored is not what was written.
        """
        size_bytes = stored.record.size_bytes
        stop = size_bytes if length is None else min(size_bytes, start + length)
        if stored.body is not None:
            return _once(stored.body[start:stop])
        if start >= stop:
            return _once(b"")
        return self._bodies.read(stored.extents(start, stop - start), stop - start)

    async def put(
        self,
        bucket: str,
        key: str,
        body: Body,
        attributes: Attributes = NO_ATTRIBUTES,
        *,
        lock: Lock | None = None,
        precondition: Precondition | None = None,
    ) -> ObjectRecord:
        """Store a body under a key; durable when this returns. It takes the body over.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            BucketUnlockableError: a lock is asked for where there are none.
            Exception: what the precondition raised.
        """
        blob = body.take()
        layout: Layout = "inline" if blob is None else "blob"
        record = ObjectRecord(
            schema=SCHEMA,
            version_id=NULL_VERSION,
            delete_marker=False,
            modified_ns=self._clock.now_ns(),
            size_bytes=body.size_bytes,
            etag=body.md5,
            checksum_type=FULL_OBJECT if body.checksums else "",
            checksums=body.checksums,
            layout=layout,
            blob=blob,
            part_count=0,
            upload_id="",
            attributes=attributes,
            lock=lock,
        )
        plan = Plan(record=record, attachment=body.inline, prior=body.draft)
        async with self._bodies.handed_over(blob):
            record = await self._put(bucket, key, plan, precondition)
        failpoints.reach("object.put")
        return record

    async def copy(
        self,
        source: StoredObject,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        checksum: str | None = None,
        lock: Lock | None = None,
        precondition: Precondition | None = None,
    ) -> ObjectRecord:
        """Store a copy of an object without moving its bytes; ETag and parts stay.

        Args:
            source: what `get` returned.
            bucket: the target's bucket.
            key: the target's key, which may be the source's.
            attributes: those of the copy; `None` to keep the source's.
            checksum: an algorithm to sum the copy up with; `None` to keep the source's checksums.
            lock: that of the copy; it never is the source's.
            precondition: about the target.

        Raises:
            NoSuchBucketError: the target's bucket does not exist.
            BucketUnlockableError: a lock is asked for where there are none.
            BlobDamagedError: bytes of the source are missing or damaged.
        """
        record = msgspec.structs.replace(
            source.record, version_id=NULL_VERSION, modified_ns=self._clock.now_ns(), lock=lock
        )
        if attributes is not None:
            record = msgspec.structs.replace(record, attributes=attributes)
        if checksum is not None:
            sums = await self._sums(source, checksum)
            record = msgspec.structs.replace(
                record, checksum_type=FULL_OBJECT, checksums={checksum: sums}
            )
        attachment = source.attachment
        clones: list[BlobRef] = []
        if record.blob is not None:
            clones = await self._bodies.clone([record.blob])
            record = msgspec.structs.replace(record, blob=clones[0])
        elif record.layout == "manifest":
            originals = [part.blob for part in source.parts if part.blob is not None]
            clones = await self._bodies.clone(originals)
            attachment = encode(_with_blobs(source.parts, clones))
        plan = Plan(record=record, attachment=attachment)
        async with self._bodies.handed_over(*clones):
            record = await self._put(bucket, key, plan, precondition)
        failpoints.reach("object.copied")
        return record

    async def delete(
        self, bucket: str, key: str, *, precondition: Precondition | None = None
    ) -> Removed:
        """Delete an object, or add a delete marker where the bucket keeps versions.

        Deleting what is not there is no error.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            Exception: what the precondition raised.
        """
        if precondition is not None:
            # It may refuse, before the commit can tell, what was decided on a bucket of the past.
            self._buckets.refresh(bucket)
        plan = Plan(record=None)
        failpoints.reach("object.deleting")
        marker = await self._changes.apply(bucket, key, plan, precondition=precondition)
        failpoints.reach("object.deleted")
        return removed_by(marker)

    async def delete_many(self, bucket: str, names: Iterable[str]) -> dict[str, Removed]:
        """Delete the objects of many keys, all or none; return what was done for each.

        Raises:
            NoSuchBucketError: the bucket does not exist.
        """
        removed = await self._changes.remove_all(bucket, names)
        failpoints.reach("objects.deleted")
        return removed

    async def delete_versions(
        self,
        bucket: str,
        wanted: Mapping[str, Collection[str]],
        *,
        precondition: Precondition | None = None,
        bypass_governance: bool = False,
    ) -> dict[tuple[str, str], Removed]:
        """Remove versions for good, all or none; the newest that stays is the object then.

        Args:
            bucket: the bucket's name.
            wanted: version ids by key; those that do not exist are removed already.
            precondition: about each of the versions.
            bypass_governance: remove versions with retention in governance mode, too.

        Returns:
            What was done for each key and version id.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            ObjectLockedError: a version is locked; none was removed.
            Exception: what the precondition raised.
        """
        removed = await self._changes.remove_versions(
            bucket, wanted, precondition=precondition, bypass_governance=bypass_governance
        )
        failpoints.reach("versions.removed")
        return removed

    def list_versions(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_version_id: str = "",
        limit: int = 1000,
    ) -> VersionsPage:
        """List versions in the order of keys, those of one key from the newest to the oldest.

        Args:
            bucket: the bucket's name.
            prefix: as for `list`, and so are `delimiter` and `limit`.
            delimiter: see there.
            after_key: only versions behind this key are shown.
            after_version_id: a version of `after_key`: only what is behind it is shown.
            limit: see there.

        Raises:
            NoSuchBucketError: the bucket does not exist.
        """
        place = self._buckets.refresh(bucket)
        query = VersionsQuery(prefix, delimiter, after_key, after_version_id, limit)
        return list_versions(self._catalog, place, query)

    def list(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> Page:
        """List objects in the order of their keys' UTF-8.

        Args:
            bucket: the bucket's name.
            prefix: what the keys begin with.
            delimiter: keys that hold it behind the prefix are rolled up into common prefixes.
            after: only entries (keys or common prefixes) behind this one are shown.
            limit: how many entries at most; 0 gives an empty page.

        Raises:
            NoSuchBucketError: the bucket does not exist.
        """
        partition = self._buckets.refresh(bucket).partition
        position = position_after(keys.OBJECTS, after, prefix, delimiter) if after else b""
        found = walk(
            self._catalog,
            partition,
            keys.OBJECTS,
            prefix=prefix,
            delimiter=delimiter,
            position=position,
            limit=limit,
        )
        names, values = found.columns()
        return Page(
            names,
            decode_page(names, values),
            storage_classes_of(values),
            found.prefix_names(),
            found.truncated,
            found.last()[0] or after,
        )

    async def _sums(self, source: StoredObject, algorithm: str) -> str:
        """Return the checksum of all bytes of an object."""
        total = checksums.new(algorithm)
        async with contextlib.aclosing(self.read(source)) as pieces:
            async for piece in pieces:
                await self._bodies.run(total.update, piece)
        return checksums.encode(total.digest())

    async def _put(
        self, bucket: str, key: str, plan: Plan, precondition: Precondition | None
    ) -> ObjectRecord:
        record = await self._changes.apply(bucket, key, plan, precondition=precondition)
        assert record is not None, "a plan with a record leaves one"
        return record


def _with_blobs(parts: tuple[PartRecord, ...], blobs: Iterable[BlobRef]) -> tuple[PartRecord, ...]:
    """Return the parts with other blobs, in order; empty parts have none."""
    remaining = iter(blobs)
    return tuple(
        part if part.blob is None else msgspec.structs.replace(part, blob=next(remaining))
        for part in parts
    )


async def _once(piece: bytes) -> AsyncGenerator[bytes, None]:
    if piece:
        yield piece
