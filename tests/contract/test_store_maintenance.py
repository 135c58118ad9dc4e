"""Garbage, orphans and the remains of crashes on every kind of engine."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ingot.base.units import MIB
from ingot.store import keys
from ingot.store.blobs.files import FileBlobs
from ingot.store.blobs.memory import MemoryBlobs
from ingot.store.catalog.contract import Put
from ingot.store.errors import BlobDamagedError
from ingot.testing.blobs_contract import random_bytes, write_blob
from ingot.testing.stores import make_body, put_bytes, read_bytes

LARGE = random_bytes(MIB)


def another_session(store):
    """Open the engine of a store's blobs once more, as another process would."""
    blobs = store.bodies.blobs
    if isinstance(blobs, MemoryBlobs):
        return MemoryBlobs(blobs._device)
    return FileBlobs(blobs._data.parent)


def is_there(store, blob):
    try:
        return bool(list(store.bodies.blobs.read(blob)))
    except BlobDamagedError:
        return False


def test_overwritten_bytes_stay_for_their_readers_then_go(with_store, clock):
    async def test(store):
        await put_bytes(store, "bucket", "key", LARGE)
        old = store.objects.get("bucket", "key").record.blob
        await put_bytes(store, "bucket", "key", b"new")
        assert await store.maintenance.collect() == 0
        assert b"".join(store.bodies.blobs.read(old)) == LARGE
        clock.advance(15 * 60 + 1)
        assert await store.maintenance.collect() == 1
        assert await store.maintenance.collect() == 0
        with pytest.raises(BlobDamagedError):
            list(store.bodies.blobs.read(old))

    with_store(test)


def test_a_deleted_bucket_leaves_nothing(with_store):
    async def test(store):
        partition = store.buckets.partition("bucket")
        await put_bytes(store, "bucket", "key", LARGE)
        await store.objects.delete("bucket", "key")
        upload = await store.uploads.create("bucket", "unfinished")
        body = await make_body(store, LARGE, inline_max=-1)
        await store.uploads.put_part("bucket", "unfinished", upload.upload_id, 1, body)
        await store.buckets.delete("bucket")
        assert await store.maintenance.collect() == 2
        assert partition not in list(store._catalog.partitions())

    with_store(test)


def test_the_sweep_removes_what_an_ended_session_left(with_store):
    async def test(store):
        other = another_session(store)
        orphan = write_blob(other, LARGE)
        other.writer().append(b"never sealed")
        await put_bytes(store, "bucket", "key", LARGE)
        assert await store.maintenance.sweep() == 0
        other.close()
        assert await store.maintenance.sweep() == 2
        assert store.bodies.blobs.ended_sessions() == []
        with pytest.raises(BlobDamagedError, match="missing"):
            list(store.bodies.blobs.read(orphan))
        assert await read_bytes(store, "bucket", "key") == LARGE

    with_store(test)


def test_the_sweep_keeps_whatever_a_record_names(with_store, clock, monkeypatch):
    monkeypatch.setattr("ingot.store.blobs.files._FILES_PER_PASS", 2)
    monkeypatch.setattr("ingot.store.blobs.packs._PACKS_PER_PASS", 1)
    monkeypatch.setattr("ingot.store.maintenance._ROWS_MAX", 2)

    async def test(store):
        upload = await store.uploads.create("bucket", "finished")
        parts = []
        for number in (1, 2):
            body = await make_body(store, LARGE * 5, inline_max=-1)
            parts.append(
                await store.uploads.put_part("bucket", "finished", upload.upload_id, number, body)
            )
        await store.uploads.complete("bucket", "finished", upload.upload_id, parts)
        open_upload = await store.uploads.create("bucket", "open")
        for number in (1, 2, 3):
            body = await make_body(store, b"part", inline_max=-1)
            await store.uploads.put_part("bucket", "open", open_upload.upload_id, number, body)
        for index in range(5):
            await put_bytes(store, "bucket", f"key{index}", LARGE)
        await store.objects.delete("bucket", "key4")
        write_blob(store.bodies.blobs, b"orphan")
        store.bodies.blobs.close()
        successor = another_session(store)
        store.maintenance._blobs = store.bodies.blobs = successor
        assert await store.maintenance.sweep() == 1
        assert await read_bytes(store, "bucket", "finished") == LARGE * 10
        for index in range(4):
            assert await read_bytes(store, "bucket", f"key{index}") == LARGE
        for part in store.uploads.list_parts("bucket", "open", open_upload.upload_id).parts:
            assert b"".join(successor.read(part.blob)) == b"part"
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1
        successor.close()

    with_store(test)


def test_only_a_store_that_is_unsure_of_a_blob_needs_a_sweep(with_store, clock):
    async def test(store):
        def refuse(etag):
            raise KeyError(etag)

        await put_bytes(store, "bucket", "key", LARGE)
        await store.objects.copy(store.objects.get("bucket", "key"), "bucket", "copy")
        with pytest.raises(KeyError):
            await put_bytes(store, "bucket", "key", LARGE, precondition=refuse)
        source = store.objects.get("bucket", "key")
        with pytest.raises(KeyError):
            await store.objects.copy(source, "bucket", "copy", precondition=refuse)
        writer = store.bodies.writer()
        await writer.write(LARGE)
        await writer.abort()
        body = await make_body(store, LARGE)
        assert store.bodies.in_hand == 1
        await body.discard()
        upload = await store.uploads.create("bucket", "parts")
        body = await make_body(store, LARGE, inline_max=-1)
        await store.uploads.put_part("bucket", "parts", upload.upload_id, 1, body)
        gone = store.objects.get("bucket", "copy")
        await store.objects.delete("bucket", "copy")
        clock.advance(10**6)
        await store.maintenance.collect()
        with pytest.raises(BlobDamagedError):
            await store.objects.copy(gone, "bucket", "copy")
        assert store.bodies.in_hand == 0

    with_store(test)


def test_a_cancelled_put_leaves_the_store_unsure_or_done(with_store):
    async def test(store):
        body = await make_body(store, LARGE)
        task = asyncio.create_task(store.objects.put("bucket", "key", body))
        await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
            assert store.bodies.in_hand == 1
            # It may have been committed, so whoever still has the body must not remove it.
            await body.discard()
            await put_bytes(store, "bucket", "behind it", b"")
            assert await read_bytes(store, "bucket", "key") == LARGE
        else:
            assert store.bodies.in_hand == 0

    with_store(test)


def test_parts_of_an_upload_whose_end_was_interrupted_are_removed(with_store, clock):
    async def test(store):
        upload = await store.uploads.create("bucket", "key")
        body = await make_body(store, LARGE, inline_max=-1)
        await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        going_on = await store.uploads.create("bucket", "key")
        kept = await make_body(store, LARGE, inline_max=-1)
        await store.uploads.put_part("bucket", "key", going_on.upload_id, 1, kept)
        partition = store.buckets.partition("bucket")
        upload_key = keys.upload_key("key", upload.upload_id)
        await store._catalog.commit(partition, deletes=[upload_key])
        another_session(store).close()
        await store.maintenance.sweep()
        left = store._catalog.scan(partition, keys.PARTS, b"q", limit=9)
        assert [key for key, _ in left] == [keys.part_key(going_on.upload_id, 1)]
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1

    with_store(test)


def test_the_task_works_until_it_is_cancelled(with_store, clock, monkeypatch):
    monkeypatch.setattr("ingot.store.maintenance.INTERVAL_S", 0.01)

    async def test(store):
        task = asyncio.create_task(store.maintenance.run())
        await put_bytes(store, "bucket", "key", LARGE)
        blob = store.objects.get("bucket", "key").record.blob
        await store.objects.delete("bucket", "key")
        clock.advance(10**6)
        for _ in range(500):
            await asyncio.sleep(0.01)
            if not is_there(store, blob):
                break
        assert not is_there(store, blob)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with_store(test)


def test_damaged_garbage_and_parts_let_go_of_nothing(with_store, clock, caplog):
    async def test(store):
        partition = store.buckets.partition("bucket")
        record = await put_bytes(store, "bucket", "key", random_bytes(200_000))
        upload = await store.uploads.create("bucket", "parts")
        body = await make_body(store, random_bytes(200_000), inline_max=-1)
        part = await store.uploads.put_part("bucket", "parts", upload.upload_id, 1, body)
        await store.objects.delete("bucket", "key")
        for space in (keys.GARBAGE, keys.PARTS):
            ((key, value),) = store._catalog.scan(
                partition, space, keys.behind_prefix(space), limit=2
            )
            await store._catalog.commit(partition, puts=[Put(key, value[:-1] + b"\0")])
        await store.uploads.abort("bucket", "parts", upload.upload_id)
        clock.advance(3600)
        assert await store.maintenance.collect() == 0
        assert caplog.text.count("store.damaged") == 2
        # The sweep finds them when the session has ended.
        assert is_there(store, record.blob)
        assert is_there(store, part.blob)

    with_store(test)
