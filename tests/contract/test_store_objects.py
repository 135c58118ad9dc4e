"""Objects on every kind of engine."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import zlib
from functools import partial

import pytest

from ingot.base.limits import INLINE_BYTES_MAX
from ingot.base.units import KIB, MIB
from ingot.store.errors import (
    BlobDamagedError,
    DeletedError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchVersionError,
)
from ingot.store.fences import Versioning
from ingot.store.records import Attributes
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.stores import make_body, put_bytes, read_bytes

SIZES = [0, 1, 4 * KIB, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, MIB, MIB + 1, 3 * MIB + 12345]
STRANGE_KEYS = [
    "a",
    "a/b",
    "a//b",
    "..",
    "../x",
    "./",
    "/",
    "//",
    "a/",
    "ä/😀",
    "\x01\x02",
    "x" * 1024,
]


class RefusedError(Exception):
    """What a precondition of these tests raises."""


def refuse_unless(expected, found):
    if (None if found is None else found.etag) != expected:
        raise RefusedError


@pytest.mark.parametrize("size_bytes", SIZES)
def test_what_was_put_is_read(with_store, clock, size_bytes):
    content = random_bytes(size_bytes)

    async def test(store):
        body = await make_body(store, content, checksums=("CRC32", "SHA256"))
        assert body.sha256 == hashlib.sha256(content).hexdigest()
        attributes = Attributes({"content-type": "text/plain"}, {"colour": "blue"})
        record = await store.objects.put("bucket", "key", body, attributes)
        stored = store.objects.get("bucket", "key")
        assert stored.record == record
        assert record.etag == hashlib.md5(content).hexdigest()
        assert record.size_bytes == size_bytes
        assert record.modified_ns == clock.now_ns()
        assert record.checksum_type == "FULL_OBJECT"
        assert record.checksums == {
            "CRC32": base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode(),
            "SHA256": base64.b64encode(hashlib.sha256(content).digest()).decode(),
        }
        assert record.attributes == attributes
        assert stored.parts == ()
        assert (stored.body is not None) == (size_bytes <= INLINE_BYTES_MAX)
        assert await read_bytes(store, "bucket", "key") == content
        for start, length in ((0, 1), (size_bytes // 2, None), (size_bytes - 1, 5), (5, 0)):
            if start >= 0:
                stop = size_bytes if length is None else start + length
                expected = content[start:stop]
                assert await read_bytes(store, "bucket", "key", start, length) == expected

    with_store(test)


def test_keys_are_just_text(with_store):
    async def test(store):
        for key in STRANGE_KEYS:
            await put_bytes(store, "bucket", key, key.encode())
        for key in STRANGE_KEYS:
            assert await read_bytes(store, "bucket", key) == key.encode()
        listed = [item.key for item in store.objects.list("bucket").objects]
        assert listed == sorted(STRANGE_KEYS, key=str.encode)

    with_store(test)


def test_an_absent_key_or_version_is_an_error(with_store):
    async def test(store):
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "absent")
        await put_bytes(store, "bucket", "key", b"content")
        assert store.objects.get("bucket", "key", version_id="null").body == b"content"
        with pytest.raises(NoSuchVersionError):
            store.objects.get("bucket", "key", version_id="other")

    with_store(test)


@pytest.mark.parametrize("sizes", [(10, 20), (10, MIB), (MIB, 10), (MIB, 2 * MIB)])
def test_the_last_put_stands(with_store, sizes):
    async def test(store):
        for seed, size_bytes in enumerate(sizes):
            await put_bytes(store, "bucket", "key", random_bytes(size_bytes, seed))
        assert await read_bytes(store, "bucket", "key") == random_bytes(sizes[1], 1)

    with_store(test)


def test_a_reader_of_an_overwritten_object_gets_the_old_bytes(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", random_bytes(3 * MIB, 1))
        stored = store.objects.get("bucket", "key")
        await put_bytes(store, "bucket", "key", random_bytes(3 * MIB, 2))
        await store.maintenance.collect()
        read = b"".join([piece async for piece in store.objects.read(stored)])
        assert read == random_bytes(3 * MIB, 1)

    with_store(test)


def test_deleting_is_idempotent(with_store):
    async def test(store):
        for size_bytes in (10, MIB):
            await put_bytes(store, "bucket", "key", random_bytes(size_bytes))
            await store.objects.delete("bucket", "key")
            await store.objects.delete("bucket", "key")
            with pytest.raises(NoSuchKeyError):
                store.objects.get("bucket", "key")

    with_store(test)


def test_many_are_deleted_at_once(with_store):
    async def test(store):
        for index in range(20):
            await put_bytes(store, "bucket", f"key{index}", random_bytes(index * 2000))
        names = [f"key{index}" for index in range(1, 20)]
        await store.objects.delete_many("bucket", [*names, "absent", "key1"])
        assert [item.key for item in store.objects.list("bucket").objects] == ["key0"]
        await store.objects.delete_many("bucket", names)
        await store.objects.delete_many("bucket", [])

    with_store(test)


def test_preconditions_see_what_is_there(with_store):
    async def test(store):
        put = partial(put_bytes, store, "bucket", "key")
        first = await put(b"1", precondition=partial(refuse_unless, None))
        with pytest.raises(RefusedError):
            await put(b"2", precondition=partial(refuse_unless, None))
        second = await put(b"2", precondition=partial(refuse_unless, first.etag))
        with pytest.raises(RefusedError):
            await store.objects.delete(
                "bucket", "key", precondition=partial(refuse_unless, first.etag)
            )
        assert await read_bytes(store, "bucket", "key") == b"2"
        await store.objects.delete(
            "bucket", "key", precondition=partial(refuse_unless, second.etag)
        )

    with_store(test)


def test_conditional_increments_are_exact(with_store):
    async def increment(store):
        while True:
            stored = store.objects.get("bucket", "counter")
            value = b"%d" % (int(stored.body) + 1)
            await asyncio.sleep(0)
            try:
                await put_bytes(
                    store,
                    "bucket",
                    "counter",
                    value,
                    precondition=partial(refuse_unless, stored.record.etag),
                )
            except RefusedError:
                continue
            return

    async def test(store):
        await put_bytes(store, "bucket", "counter", b"0")
        await asyncio.gather(*(increment(store) for _ in range(40)))
        assert await read_bytes(store, "bucket", "counter") == b"40"

    with_store(test)


def test_overwriters_of_one_key_all_succeed(with_store):
    async def test(store):
        contents = [b"%d" % index for index in range(60)]
        await asyncio.gather(*(put_bytes(store, "bucket", "key", item) for item in contents))
        assert await read_bytes(store, "bucket", "key") in contents

    with_store(test)


@pytest.mark.parametrize("size_bytes", [0, 10, 2 * MIB + 1])
def test_a_copy_lives_on_its_own(with_store, clock, size_bytes):
    content = random_bytes(size_bytes)

    async def test(store):
        body = await make_body(store, content, checksums=("CRC32C",))
        attributes = Attributes({"content-type": "text/plain"}, {"a": "b"})
        original = await store.objects.put("bucket", "key", body, attributes)
        await store.buckets.create("target")
        clock.advance(5)
        source = store.objects.get("bucket", "key")
        copy = await store.objects.copy(source, "target", "copy")
        assert (copy.etag, copy.checksums) == (original.etag, original.checksums)
        assert copy.attributes == attributes
        assert copy.modified_ns == clock.now_ns()
        other = await store.objects.copy(
            source, "bucket", "key", attributes=Attributes({}, {"c": "d"})
        )
        assert other.attributes.metadata == {"c": "d"}
        assert await read_bytes(store, "bucket", "key") == content
        await store.objects.delete("bucket", "key")
        clock.advance(10**6)
        await store.maintenance.collect()
        assert await read_bytes(store, "target", "copy") == content

    with_store(test)


def test_copying_what_was_collected_meanwhile_is_an_error(with_store, clock):
    async def test(store):
        await put_bytes(store, "bucket", "key", random_bytes(MIB))
        source = store.objects.get("bucket", "key")
        await store.objects.delete("bucket", "key")
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1
        with pytest.raises(BlobDamagedError):
            await store.objects.copy(source, "bucket", "copy")
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "copy")

    with_store(test)


def test_a_listing_is_paged(with_store):
    names = [f"{folder}/{index}" for folder in "abc" for index in range(3)] + ["d", "e"]

    async def test(store):
        for name in names:
            await put_bytes(store, "bucket", name, b"")
        page = store.objects.list("bucket", delimiter="/", limit=2)
        assert (page.prefixes, page.objects, page.truncated) == (["a/", "b/"], [], True)
        page = store.objects.list("bucket", delimiter="/", limit=2, after=page.next_after)
        assert (page.prefixes, [item.key for item in page.objects]) == (["c/"], ["d"])
        page = store.objects.list("bucket", delimiter="/", limit=2, after=page.next_after)
        assert ([item.key for item in page.objects], page.truncated) == (["e"], False)
        page = store.objects.list("bucket", prefix="b/", after="b/0")
        assert [item.key for item in page.objects] == ["b/1", "b/2"]
        page = store.objects.list("bucket", limit=0)
        assert (page.objects, page.truncated, page.next_after) == ([], False, "")
        # A key inside a common prefix is behind that prefix.
        page = store.objects.list("bucket", delimiter="/", after="a/1")
        assert page.prefixes == ["b/", "c/"]

    with_store(test)


def test_a_refused_body_leaves_no_blob(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"content")
        body = await make_body(store, random_bytes(MIB))
        blob = body.blob
        with pytest.raises(RefusedError):
            await store.objects.put(
                "bucket", "key", body, precondition=partial(refuse_unless, None)
            )
        with pytest.raises(BlobDamagedError, match="missing"):
            list(store.bodies.blobs.read(blob))
        assert await read_bytes(store, "bucket", "key") == b"content"

    with_store(test)


@pytest.mark.parametrize("content", [b"inline", random_bytes(100_000)])
def test_tags_change_and_the_version_stays(with_store, clock, content):
    async def test(store):
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        first = await put_bytes(store, "bucket", "key", content)
        second = await put_bytes(store, "bucket", "key", b"second")
        clock.advance(10)
        for version_id in (first.version_id, None):
            changed = await store.annotations.set_tags(
                "bucket", "key", {"a": "b"}, version_id=version_id
            )
            old = first if version_id else second
            assert changed.attributes.tags == {"a": "b"}
            assert (changed.version_id, changed.modified_ns) == (old.version_id, old.modified_ns)
            stored = store.objects.get("bucket", "key", version_id=version_id)
            assert stored.record == changed
        stored = store.objects.get("bucket", "key", version_id=first.version_id)
        assert b"".join([piece async for piece in store.objects.read(stored)]) == content
        clock.advance(10**6)
        assert await store.maintenance.collect() == 0
        with pytest.raises(NoSuchKeyError):
            await store.annotations.set_tags("bucket", "absent", {})
        await store.objects.delete("bucket", "key")
        with pytest.raises(DeletedError):
            await store.annotations.set_tags("bucket", "key", {})

    with_store(test)


def test_bucket_tags(with_store):
    async def test(store):
        assert store.buckets.get("bucket").tags == {}
        await store.buckets.set_tags("bucket", {"a": "b"})
        assert store.buckets.get("bucket").tags == {"a": "b"}
        with pytest.raises(NoSuchBucketError):
            await store.buckets.set_tags("absent", {})
        await store.buckets.delete("bucket")

    with_store(test)
