"""Objects that are replaced or removed without having been read: their bytes become garbage."""

from __future__ import annotations

import asyncio

import pytest

from ingot.base.units import MIB
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.errors import BlobDamagedError
from ingot.store.manifest import CompletedPart
from ingot.testing.stores import make_body, put_bytes, read_bytes

LARGE = b"l" * 100_000


async def put_parts(store, key):
    """Store an object of two parts; return their blobs."""
    upload = await store.uploads.create("bucket", key)
    parts = []
    for number, size_bytes in ((1, 5 * MIB), (2, 70_000)):
        body = await make_body(store, b"p" * size_bytes, inline_max=-1)
        parts.append(await store.uploads.put_part("bucket", key, upload.upload_id, number, body))
    wanted = [CompletedPart(part.number, part.etag, {}) for part in parts]
    await store.uploads.complete("bucket", key, upload.upload_id, wanted)
    return [part.blob for part in parts]


@pytest.mark.parametrize("how", ["put", "delete", "delete many"])
def test_what_is_replaced_or_removed_becomes_garbage(with_store, clock, how):
    async def test(store):
        names = ["inline", "blob", "parts"]
        await put_bytes(store, "bucket", "inline", b"small")
        await put_bytes(store, "bucket", "blob", LARGE)
        blobs = [store.objects.get("bucket", "blob").record.blob, *await put_parts(store, "parts")]
        if how == "put":
            for name in names:
                await put_bytes(store, "bucket", name, b"new")
            assert [await read_bytes(store, "bucket", name) for name in names] == [b"new"] * 3
        elif how == "delete":
            for name in names:
                await store.objects.delete("bucket", name)
        else:
            await store.objects.delete_many("bucket", [*names, "never there"])
        assert len(store.objects.list("bucket").objects) == (3 if how == "put" else 0)
        assert b"".join(store.bodies.blobs.read(blobs[0])) == LARGE
        clock.advance(10**6)
        assert await store.maintenance.collect() == 3
        for blob in blobs:
            with pytest.raises(BlobDamagedError):
                list(store.bodies.blobs.read(blob))

    with_store(test)


def test_writers_of_one_key_leave_one_object_and_no_orphan(with_store, clock):
    async def test(store):
        contents = [bytes([65 + index]) * 50_000 for index in range(20)]
        await asyncio.gather(*(put_bytes(store, "bucket", "key", content) for content in contents))
        assert await read_bytes(store, "bucket", "key") in contents
        clock.advance(10**6)
        assert await store.maintenance.collect() == 19
        assert await read_bytes(store, "bucket", "key") in contents
        assert store.bodies.in_hand == 0

    with_store(test)


def test_a_damaged_record_is_replaced_without_believing_it(with_store, clock, caplog):
    async def test(store):
        await put_bytes(store, "bucket", "key", LARGE)
        blob = store.objects.get("bucket", "key").record.blob
        partition = store.buckets.partition("bucket")
        value = store._catalog.get(partition, keys.object_key("key"))
        await store._catalog.commit(
            partition, puts=[Put(keys.object_key("key"), value[:-1] + b"?")]
        )
        await put_bytes(store, "bucket", "key", b"new")
        assert await read_bytes(store, "bucket", "key") == b"new"
        clock.advance(10**6)
        assert await store.maintenance.collect() == 0
        assert b"".join(store.bodies.blobs.read(blob)) == LARGE

    with_store(test)
    assert "store.damaged a record is replaced or removed" in caplog.text
