"""Multipart uploads: their parts, their completion without copying, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Sequence

from ingot.base import failpoints
from ingot.base.limits import PARTS_MAX
from ingot.store import keys
from ingot.store.blobs.contract import BlobRef, Draft
from ingot.store.bodies import Body
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Add, Check, CommitConflictError, Put
from ingot.store.changes import Plan, Precondition
from ingot.store.completion import Completion, plan_completion
from ingot.store.core import Core
from ingot.store.errors import BucketUnlockableError, NoSuchUploadError, RecordDamagedError
from ingot.store.listing import position_after, rolls_up, walk
from ingot.store.locks import Lock
from ingot.store.manifest import NOTHING_EXPECTED, CompletedPart, Expected
from ingot.store.objects import Objects
from ingot.store.pages import ListedUpload, PartsPage, UploadsPage
from ingot.store.records import (
    NO_ATTRIBUTES,
    SCHEMA,
    Attributes,
    ObjectRecord,
    PartRecord,
    UploadRecord,
    decode_part,
    decode_upload,
    encode_summed,
)
from ingot.store.seals import decode_object, open_record
from ingot.store.stored import StoredObject
from ingot.store.usage import adds_of

_ROWS_MAX = 1000

_log = logging.getLogger(__name__)


class Uploads:
    """The unfinished multipart uploads of a store."""

    def __init__(self, core: Core, objects: Objects) -> None:
        self._catalog = core.catalog
        self._buckets = core.buckets
        self._changes = core.changes
        self._bodies = core.bodies
        self._clock = core.clock
        self._objects = objects

    async def create(
        self,
        bucket: str,
        key: str,
        attributes: Attributes = NO_ATTRIBUTES,
        *,
        checksum_algorithm: str = "",
        checksum_type: str = "",
        lock: Lock | None = None,
    ) -> UploadRecord:
        """Begin an upload.

        Args:
            bucket: the bucket's name.
            key: the key of the object to be.
            attributes: those of the object to be.
            checksum_algorithm: what the parts and the object are summed with; empty for nothing.
            checksum_type: how the parts' checksums become the object's.
            lock: that of the object to be.

        Raises:
            NoSuchBucketError: the bucket does not exist.
        """
        now_ns = self._clock.now_ns()
        upload = UploadRecord(
            schema=SCHEMA,
            # Ids of one key sort by the time of initiation, as listings must.
            upload_id=f"{now_ns:016x}{secrets.token_hex(8)}",
            initiated_ns=now_ns,
            checksum_algorithm=checksum_algorithm,
            checksum_type=checksum_type,
            attributes=attributes,
            lock=lock,
        )
        put = Put(keys.upload_key(key, upload.upload_id), encode_summed(upload))

        async def step(place: BucketPlace) -> None:
            if lock is not None and not place.rules.lockable:
                raise BucketUnlockableError(bucket)
            await self._catalog.commit(place.partition, checks=[place.fence], puts=[put])

        await self._changes.attempt(bucket, step)
        failpoints.reach("upload.begun")
        return upload

    def get(self, bucket: str, key: str, upload_id: str) -> UploadRecord:
        """Return an upload.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload of that key.
        """
        return decode_upload(
            self._find(self._buckets.refresh(bucket).partition, bucket, key, upload_id)
        )

    async def put_part(
        self, bucket: str, key: str, upload_id: str, number: int, body: Body
    ) -> PartRecord:
        """Store a part, replacing one of the same number. It takes the body over.

        The body must not be inline: write it with `inline_max=-1`.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload, or it ended meanwhile.
        """
        assert body.inline is None, "the body of a part is a blob"
        assert 1 <= number <= PARTS_MAX, "the caller checks the number"
        blob = body.take()
        part = PartRecord(
            schema=SCHEMA,
            number=number,
            size_bytes=body.size_bytes,
            etag=body.md5,
            modified_ns=self._clock.now_ns(),
            checksums=body.checksums,
            blob=blob,
        )
        async with self._bodies.handed_over(blob):
            await self._commit_part(bucket, key, upload_id, part, body.draft)
        failpoints.reach("upload.part")
        return part

    async def copy_part(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        source: StoredObject,
        *,
        start: int,
        length: int,
    ) -> PartRecord:
        """Store a range of another object as a part.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload, or it ended meanwhile.
            BlobDamagedError: the source is damaged.
        """
        algorithm = self.get(bucket, key, upload_id).checksum_algorithm
        writer = self._bodies.writer(
            size_hint=length, checksums=(algorithm,) if algorithm else (), inline_max=-1
        )
        try:
            async for piece in self._objects.read(source, start, length):
                await writer.write(piece)
            body = await writer.finish()
        except BaseException:
            await writer.abort()
            raise
        return await self.put_part(bucket, key, upload_id, number, body)

    def list_parts(
        self, bucket: str, key: str, upload_id: str, *, after: int = 0, limit: int = 1000
    ) -> PartsPage:
        """List the parts with numbers above `after`.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload.
        """
        partition = self._buckets.refresh(bucket).partition
        upload = decode_upload(self._find(partition, bucket, key, upload_id))
        if limit <= 0:
            return PartsPage(upload, [], truncated=False)
        rows = self._catalog.scan(
            partition,
            keys.part_key(upload_id, min(after, PARTS_MAX) + 1),
            keys.behind_prefix(keys.parts_prefix(upload_id)),
            limit=limit + 1,
        )
        parts = [decode_part(value) for _, value in rows[:limit]]
        return PartsPage(upload, parts, len(rows) > limit)

    async def complete(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[CompletedPart],
        *,
        expected: Expected = NOTHING_EXPECTED,
        precondition: Precondition | None = None,
    ) -> ObjectRecord:
        """Make an object of parts; durable when this returns. Completing again changes nothing.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload.
            InvalidPartOrderError: see `build_manifest`, as for the next four.
            InvalidPartError: a part is missing or differs.
            PartTooSmallError: a part is too small.
            ObjectTooLargeError: the object would be too large.
            DigestMismatchError: the object is not what was expected.
            Exception: what the precondition raised.
        """
        if (done := self._completed(bucket, key, upload_id)) is not None:
            return done
        completion = Completion(parts, expected, self._clock.now_ns())

        def plan(partition: str) -> Plan:
            found = self._find(partition, bucket, key, upload_id)
            planned = plan_completion(self._catalog, partition, key, found, completion)
            failpoints.reach("upload.completing")
            return planned

        record = await self._changes.apply(bucket, key, plan, precondition=precondition)
        assert record is not None
        failpoints.reach("upload.completed")
        await asyncio.shield(self.clear_parts(self._buckets.partition(bucket), upload_id))
        return record

    async def abort(self, bucket: str, key: str, upload_id: str) -> None:
        """End an upload and drop its parts.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            NoSuchUploadError: there is no such upload.
        """
        partition = self._buckets.refresh(bucket).partition
        found = self._find(partition, bucket, key, upload_id)
        if not await self.end(partition, keys.upload_key(key, upload_id), found):
            raise NoSuchUploadError(bucket, key, upload_id)

    async def end(self, partition: str, upload_key: bytes, found: bytes) -> bool:
        """Remove an upload as it was found, then its parts; tell whether it was there still."""
        try:
            await self._catalog.commit(
                partition, checks=[Check(upload_key, found)], deletes=[upload_key]
            )
        except CommitConflictError:
            return False
        failpoints.reach("upload.aborted")
        await asyncio.shield(self.clear_parts(partition, decode_upload(found).upload_id))
        return True

    def list(
        self,
        bucket: str,
        *,
        prefix: str = "",
        delimiter: str = "",
        after_key: str = "",
        after_upload_id: str = "",
        limit: int = 1000,
    ) -> UploadsPage:
        """List uploads behind (`after_key`, `after_upload_id`); without an id, behind the key.

        Raises:
            NoSuchBucketError: the bucket does not exist.
        """
        position = b""
        if after_key and after_upload_id and not rolls_up(after_key, prefix, delimiter):
            position = keys.after(keys.upload_key(after_key, after_upload_id))
        elif after_key:
            position = position_after(keys.UPLOADS, after_key, prefix, delimiter)
        found = walk(
            self._catalog,
            self._buckets.refresh(bucket).partition,
            keys.UPLOADS,
            prefix=prefix,
            delimiter=delimiter,
            position=position,
            limit=limit,
        )
        uploads = [
            ListedUpload(name, decode_upload(value))
            for (name, _), (_, value) in zip(found.split_names(), found.rows, strict=True)
        ]
        next_key, next_upload_id = found.last()
        if not next_key:
            next_key, next_upload_id = after_key, after_upload_id
        return UploadsPage(uploads, found.prefix_names(), found.truncated, next_key, next_upload_id)

    async def clear_parts(self, partition: str, upload_id: str) -> None:
        """Drop the parts that an ended upload left; no new ones can come."""
        start = keys.parts_prefix(upload_id)
        stop = keys.behind_prefix(start)
        while rows := self._catalog.scan(partition, start, stop, limit=_ROWS_MAX):
            checks, adds = _accounts(self._buckets.place_in(partition), rows)
            # Somebody else may be clearing them, or change the rules of the bucket.
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    partition,
                    checks=checks,
                    puts=self._changes.garbage(_blob_ids([value for _, value in rows])),
                    deletes=[part_key for part_key, _ in rows],
                    adds=adds,
                )

    def _find(self, partition: str, bucket: str, key: str, upload_id: str) -> bytes:
        # Ids come from clients: what cannot be one is not looked for.
        value = None
        if upload_id.isascii() and upload_id.isalnum():
            value = self._catalog.get(partition, keys.upload_key(key, upload_id))
        if value is None:
            raise NoSuchUploadError(bucket, key, upload_id)
        return value

    def _completed(self, bucket: str, key: str, upload_id: str) -> ObjectRecord | None:
        """Return the object that the upload has become already, if it is still there."""
        value = self._catalog.get(self._buckets.refresh(bucket).partition, keys.object_key(key))
        if value is None or decode_object(value).upload_id != upload_id:
            return None
        return open_record(key, value)

    async def _commit_part(
        self, bucket: str, key: str, upload_id: str, part: PartRecord, prior: Draft | None
    ) -> None:
        part_key = keys.part_key(upload_id, part.number)

        async def step(place: BucketPlace) -> None:
            partition = place.partition
            found = self._find(partition, bucket, key, upload_id)
            old = self._catalog.get(partition, part_key)
            unchanged = [Check(keys.upload_key(key, upload_id), found), Check(part_key, old)]
            released = _blob_ids([] if old is None else [old])
            put = Put(part_key, encode_summed(part))
            await self._catalog.commit(
                partition,
                checks=[place.fence, *unchanged],
                puts=[put, *self._changes.garbage(released)],
                adds=adds_of(place.rules, unchanged, [put], ()),
                prior=prior,
            )

        self._buckets.refresh(bucket)
        await self._changes.attempt(bucket, step)


def _accounts(
    place: BucketPlace | None, rows: Sequence[tuple[bytes, bytes]]
) -> tuple[Sequence[Check], Sequence[Add]]:
    """Return what the removal of parts checks, and what it takes from what is counted."""
    if place is None:
        return [Check(keys.FENCE, None)], ()
    if place.rules.quota is None:
        return [place.fence], ()
    unchanged = [Check(key, value) for key, value in rows]
    gone = [key for key, _ in rows]
    return [place.fence, *unchanged], adds_of(place.rules, unchanged, (), gone)


def _blob_ids(parts: Sequence[bytes]) -> list[str]:
    """Return the blobs that parts let go of; a damaged one might name those of another."""
    blobs: list[BlobRef | None] = []
    for value in parts:
        try:
            blobs.append(decode_part(value).blob)
        except RecordDamagedError as error:
            _log.error("store.damaged a part is replaced or removed: %s", error)
    return [blob.id for blob in blobs if blob is not None]
