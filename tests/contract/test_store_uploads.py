"""Multipart uploads on every kind of engine."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import zlib

import pytest

from ingot.base.limits import PART_BYTES_MIN
from ingot.store.blobs.memory import MemoryBlobs
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.errors import (
    BlobDamagedError,
    InvalidPartError,
    NoSuchKeyError,
    NoSuchUploadError,
    PartTooSmallError,
)
from ingot.store.manifest import CompletedPart, Expected
from ingot.store.records import Attributes
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.stores import make_body, put_bytes, read_bytes

FIRST = random_bytes(PART_BYTES_MIN, 1)
LAST = random_bytes(1000, 2)


async def put_part(store, upload, number, content, *, key="key", checksums=()):
    body = await make_body(store, content, checksums=checksums, inline_max=-1)
    return await store.uploads.put_part("bucket", key, upload.upload_id, number, body)


def named(*parts):
    return [CompletedPart(part.number, part.etag, part.checksums) for part in parts]


def test_parts_become_an_object(with_store, clock):
    async def test(store):
        attributes = Attributes({"content-type": "text/plain"}, {"a": "b"})
        upload = await store.uploads.create("bucket", "key", attributes)
        last = await put_part(store, upload, 7, LAST)
        first = await put_part(store, upload, 2, FIRST)
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "key")
        clock.advance(3)
        record = await store.uploads.complete("bucket", "key", upload.upload_id, named(first, last))
        joined = hashlib.md5(hashlib.md5(FIRST).digest() + hashlib.md5(LAST).digest())
        assert record.etag == f"{joined.hexdigest()}-2"
        assert record.size_bytes == len(FIRST) + len(LAST)
        assert record.modified_ns == clock.now_ns()
        assert record.attributes == attributes
        assert record.part_count == 2
        stored = store.objects.get("bucket", "key")
        assert stored.record == record
        assert [part.number for part in stored.parts] == [2, 7]
        assert await read_bytes(store, "bucket", "key") == FIRST + LAST
        start = len(FIRST) - 10
        assert await read_bytes(store, "bucket", "key", start, 30) == FIRST[-10:] + LAST[:20]
        assert await read_bytes(store, "bucket", "key", len(FIRST) + 5, 7) == LAST[5:12]
        assert store.uploads.list("bucket").uploads == []

    with_store(test)


def test_completing_again_returns_the_same(with_store):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        part = await put_part(store, upload, 1, LAST)
        first = await store.uploads.complete("bucket", "key", upload.upload_id, named(part))
        again = await store.uploads.complete("bucket", "key", upload.upload_id, named(part))
        assert again == first
        await put_bytes(store, "bucket", "key", b"newer")
        with pytest.raises(NoSuchUploadError):
            await store.uploads.complete("bucket", "key", upload.upload_id, named(part))
        assert await read_bytes(store, "bucket", "key") == b"newer"

    with_store(test)


def test_checksums_are_joined(with_store):
    crc = base64.b64encode(zlib.crc32(FIRST + LAST).to_bytes(4, "big")).decode()
    digests = b"".join(zlib.crc32(part).to_bytes(4, "big") for part in (FIRST, LAST))
    composite = base64.b64encode(zlib.crc32(digests).to_bytes(4, "big")).decode() + "-2"

    async def test(store):
        for kind, expected in (("FULL_OBJECT", crc), ("COMPOSITE", composite)):
            upload = await store.uploads.create(
                "bucket", "key", checksum_algorithm="CRC32", checksum_type=kind
            )
            parts = [
                await put_part(store, upload, number, content, checksums=("CRC32",))
                for number, content in ((1, FIRST), (2, LAST))
            ]
            record = await store.uploads.complete(
                "bucket",
                "key",
                upload.upload_id,
                named(*parts),
                expected=Expected({"CRC32": expected}, len(FIRST) + len(LAST)),
            )
            assert record.checksums == {"CRC32": expected}
            assert record.checksum_type == kind

    with_store(test)


def test_a_failed_completion_leaves_the_upload_open(with_store):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        small = await put_part(store, upload, 1, LAST)
        last = await put_part(store, upload, 2, LAST)
        with pytest.raises(PartTooSmallError):
            await store.uploads.complete("bucket", "key", upload.upload_id, named(small, last))
        with pytest.raises(InvalidPartError):
            await store.uploads.complete(
                "bucket", "key", upload.upload_id, [CompletedPart(1, "0" * 32)]
            )
        first = await put_part(store, upload, 1, FIRST)
        await store.uploads.complete("bucket", "key", upload.upload_id, named(first, last))
        assert await read_bytes(store, "bucket", "key") == FIRST + LAST

    with_store(test)


def test_an_aborted_upload_is_gone_with_its_parts(with_store, clock):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        part = await put_part(store, upload, 1, FIRST)
        await store.uploads.abort("bucket", "key", upload.upload_id)
        with pytest.raises(NoSuchUploadError):
            await store.uploads.abort("bucket", "key", upload.upload_id)
        with pytest.raises(NoSuchUploadError):
            await put_part(store, upload, 2, FIRST)
        with pytest.raises(NoSuchUploadError):
            store.uploads.list_parts("bucket", "key", upload.upload_id)
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1
        assert part.blob is not None

    with_store(test)


@pytest.mark.parametrize("upload_id", ["", "absent", "a/b", "\0", "ä" * 10])
def test_an_unknown_upload_is_an_error(with_store, upload_id):
    async def test(store):
        with pytest.raises(NoSuchUploadError):
            store.uploads.get("bucket", "key", upload_id)
        upload = await store.uploads.create("bucket", "key")
        with pytest.raises(NoSuchUploadError):
            store.uploads.get("bucket", "other", upload.upload_id)
        assert store.uploads.get("bucket", "key", upload.upload_id) == upload

    with_store(test)


def test_unused_and_replaced_parts_are_collected(with_store, clock):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        await put_part(store, upload, 1, random_bytes(PART_BYTES_MIN, 9))
        first = await put_part(store, upload, 1, FIRST)
        await put_part(store, upload, 2, LAST)
        last = await put_part(store, upload, 3, LAST)
        await store.uploads.complete("bucket", "key", upload.upload_id, named(first, last))
        clock.advance(10**6)
        assert await store.maintenance.collect() == 2
        assert await read_bytes(store, "bucket", "key") == FIRST + LAST
        await store.objects.delete("bucket", "key")
        clock.advance(10**6)
        assert await store.maintenance.collect() == 2

    with_store(test)


def test_a_completion_racing_a_part_sees_either(with_store, clock):
    async def test(store):
        for _ in range(10):
            upload = await store.uploads.create("bucket", "key")
            part = await put_part(store, upload, 1, FIRST)
            other, done = await asyncio.gather(
                put_part(store, upload, 1, LAST),
                store.uploads.complete("bucket", "key", upload.upload_id, named(part)),
                return_exceptions=True,
            )
            if isinstance(done, InvalidPartError):
                await store.uploads.complete("bucket", "key", upload.upload_id, named(other))
            clock.advance(10**6)
            await store.maintenance.collect()
            content = await read_bytes(store, "bucket", "key")
            assert content == (LAST if isinstance(done, InvalidPartError) else FIRST)

    with_store(test)


def test_a_range_of_an_object_becomes_a_part(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "source", FIRST + LAST)
        source = store.objects.get("bucket", "source")
        upload = await store.uploads.create(
            "bucket", "key", checksum_algorithm="CRC32C", checksum_type="FULL_OBJECT"
        )
        parts = [
            await store.uploads.copy_part(
                "bucket", "key", upload.upload_id, number, source, start=start, length=length
            )
            for number, start, length in ((1, 0, len(FIRST)), (2, 7, 11))
        ]
        await store.uploads.complete("bucket", "key", upload.upload_id, named(*parts))
        assert await read_bytes(store, "bucket", "key") == FIRST + FIRST[7:18]

    with_store(test)


def test_a_copy_of_an_object_in_parts_keeps_them(with_store, clock):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        parts = [
            await put_part(store, upload, number, content)
            for number, content in ((1, FIRST), (2, b""))
            if content or number == 2
        ]
        await store.uploads.complete("bucket", "key", upload.upload_id, named(*parts))
        copy = await store.objects.copy(store.objects.get("bucket", "key"), "bucket", "copy")
        assert copy.etag.endswith("-2")
        await store.objects.delete("bucket", "key")
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1
        assert await read_bytes(store, "bucket", "copy") == FIRST
        assert len(store.objects.get("bucket", "copy").parts) == 2

    with_store(test)


def test_parts_are_listed_in_order_and_in_pages(with_store):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        for number in (10_000, 3, 20, 1):
            await put_part(store, upload, number, b"%d" % number)
        page = store.uploads.list_parts("bucket", "key", upload.upload_id, limit=3)
        assert ([part.number for part in page.parts], page.truncated) == ([1, 3, 20], True)
        page = store.uploads.list_parts("bucket", "key", upload.upload_id, after=20)
        assert ([part.number for part in page.parts], page.truncated) == ([10_000], False)
        page = store.uploads.list_parts("bucket", "key", upload.upload_id, after=99_999)
        assert page.parts == []
        page = store.uploads.list_parts("bucket", "key", upload.upload_id, limit=0)
        assert (page.upload, page.parts, page.truncated) == (upload, [], False)

    with_store(test)


def test_uploads_are_listed_by_key_and_time(with_store, clock):
    async def test(store):
        made = []
        for key in ("b", "a", "a", "a/1", "a/2", "c"):
            made.append((key, (await store.uploads.create("bucket", key)).upload_id))
            clock.advance(1)
        expected = sorted(made, key=lambda item: item[0])
        page = store.uploads.list("bucket")
        assert [(item.key, item.record.upload_id) for item in page.uploads] == expected
        walked = []
        key = upload_id = ""
        truncated = True
        while truncated:
            page = store.uploads.list(
                "bucket", delimiter="/", after_key=key, after_upload_id=upload_id, limit=1
            )
            walked += [item.key for item in page.uploads] + page.prefixes
            key, upload_id, truncated = page.next_key, page.next_upload_id, page.truncated
        assert walked == ["a", "a", "a/", "b", "c"]
        page = store.uploads.list("bucket", after_key="a")
        assert [item.key for item in page.uploads] == ["a/1", "a/2", "b", "c"]
        page = store.uploads.list("bucket", prefix="a/", limit=1)
        assert ([item.key for item in page.uploads], page.truncated) == (["a/1"], True)

    with_store(test)


def test_a_part_copied_from_damaged_bytes_is_not_kept(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "source", FIRST)
        source = store.objects.get("bucket", "source")
        upload = await store.uploads.create("bucket", "key")
        store.bodies.blobs.delete([source.record.blob.id])
        with pytest.raises(BlobDamagedError):
            await store.uploads.copy_part(
                "bucket", "key", upload.upload_id, 1, source, start=0, length=100
            )
        assert store.uploads.list_parts("bucket", "key", upload.upload_id).parts == []
        assert store.bodies.in_hand == 0

    with_store(test)


def test_of_two_that_abort_one_succeeds(with_store):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        outcomes = await asyncio.gather(
            *(store.uploads.abort("bucket", "key", upload.upload_id) for _ in range(2)),
            return_exceptions=True,
        )
        assert sorted(map(type, outcomes), key=str) == [type(None), NoSuchUploadError]

    with_store(test)


def test_uploads_that_rest_for_a_day_are_aborted(with_store, clock):
    async def test(store):
        resting = await store.uploads.create("bucket", "resting")
        body = await make_body(store, b"part", inline_max=-1)
        await store.uploads.put_part("bucket", "resting", resting.upload_id, 1, body)
        going_on = await store.uploads.create("bucket", "going on")
        clock.advance(23 * 3600)
        body = await make_body(store, b"part", inline_max=-1)
        await store.uploads.put_part("bucket", "going on", going_on.upload_id, 1, body)
        young = await store.uploads.create("bucket", "young")
        assert await store.maintenance.expire() == 0
        clock.advance(2 * 3600)
        assert await store.maintenance.expire() == 1
        with pytest.raises(NoSuchUploadError):
            store.uploads.get("bucket", "resting", resting.upload_id)
        left = [item.record.upload_id for item in store.uploads.list("bucket").uploads]
        assert left == [going_on.upload_id, young.upload_id]
        clock.advance(3600)
        assert await store.maintenance.collect() == 1

    with_store(test)


def test_uploads_may_rest_for_ever(clock):
    async def test():
        store = ObjectStore(
            MemoryCatalog(),
            MemoryBlobs(),
            clock=clock,
            maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
            upload_expiry_s=0,
        )
        await store.buckets.create("bucket")
        await store.uploads.create("bucket", "key")
        clock.advance(10**8)
        assert await store.maintenance.expire() == 0
        store.close()

    asyncio.run(test())
