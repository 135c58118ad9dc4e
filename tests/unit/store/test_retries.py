"""Losing races: what is tried again, and where it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from ingot.store import keys
from ingot.store.blobs.memory import MemoryBlobs
from ingot.store.catalog.contract import CommitConflictError
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.errors import NoSuchBucketError, StoreBusyError, StoreFailedError
from ingot.store.store import ObjectStore
from ingot.testing.clock import FakeClock
from ingot.testing.stores import make_body, memory_store, put_bytes, read_bytes


class RacingCatalog(MemoryCatalog):
    """Loses as many commits to a rival as it is told."""

    def __init__(self):
        super().__init__()
        self.losses = 0
        self.rival = None

    def commit(self, partition, **changes):
        if self.losses and changes.get("checks"):
            self.losses -= 1
            if self.rival is not None:
                self.rival()
            future = asyncio.get_running_loop().create_future()
            future.set_exception(CommitConflictError("lost"))
            return future
        return super().commit(partition, **changes)


def run(test):
    async def body():
        catalog = RacingCatalog()
        store = ObjectStore(
            catalog,
            MemoryBlobs(),
            clock=FakeClock(),
            maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
        )
        await store.buckets.create("bucket")
        await test(store, catalog)
        store.close()

    asyncio.run(body())


def test_a_lost_race_is_tried_again():
    async def test(store, catalog):
        await put_bytes(store, "bucket", "key", b"old")
        catalog.losses = 5
        await put_bytes(store, "bucket", "key", b"new")
        assert await read_bytes(store, "bucket", "key") == b"new"
        catalog.losses = 5
        upload = await store.uploads.create("bucket", "key")
        catalog.losses = 5
        body = await make_body(store, b"part", inline_max=-1)
        await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        catalog.losses = 5
        await store.objects.delete_many("bucket", ["key"])
        assert store.objects.list("bucket").objects == []

    run(test)


def test_a_writer_gives_up_in_the_end(monkeypatch):
    monkeypatch.setattr("ingot.store.changes.COMMIT_ATTEMPTS_MAX", 3)

    async def test(store, catalog):
        await put_bytes(store, "bucket", "key", b"old")
        upload = await store.uploads.create("bucket", "key")
        body = await make_body(store, b"part", inline_max=-1)
        catalog.losses = 1000
        with pytest.raises(StoreBusyError):
            await put_bytes(store, "bucket", "key", b"new")
        with pytest.raises(StoreBusyError):
            await store.objects.delete_many("bucket", ["key"])
        with pytest.raises(StoreBusyError):
            await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        with pytest.raises(StoreBusyError):
            await store.uploads.create("bucket", "key")
        assert store.bodies.in_hand == 0
        assert await read_bytes(store, "bucket", "key") == b"old"

    run(test)


def test_a_bucket_that_went_meanwhile_is_noticed():
    async def test(store, catalog):
        partition = store.buckets.partition("bucket")
        catalog.losses = 1
        catalog.rival = lambda: catalog._partitions[partition].delete(keys.FENCE)
        with pytest.raises(NoSuchBucketError):
            await put_bytes(store, "bucket", "key", b"content")

    run(test)


def test_deleting_does_not_trust_the_memory_of_a_bucket_that_was_made_anew():
    async def test(store, catalog):
        await put_bytes(store, "bucket", "other", b"content")
        elsewhere = ObjectStore(
            catalog,
            MemoryBlobs(),
            clock=FakeClock(),
            maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
        )
        for delete in (
            lambda: store.objects.delete("bucket", "key"),
            lambda: store.objects.delete_many("bucket", ["key"]),
        ):
            names = [item.key for item in elsewhere.objects.list("bucket").objects]
            await elsewhere.objects.delete_many("bucket", names)
            await elsewhere.buckets.delete("bucket")
            with pytest.raises(NoSuchBucketError):
                await delete()
            await elsewhere.buckets.create("bucket")
            store.buckets.partition("bucket")
            await elsewhere.buckets.delete("bucket")
            await elsewhere.buckets.create("bucket")
            await put_bytes(elsewhere, "bucket", "key", b"content")
            await delete()
            assert elsewhere.objects.list("bucket").objects == []

    run(test)


def test_two_that_finish_a_deletion_do_not_disturb_each_other():
    async def test(store, catalog):
        catalog._partitions[store.buckets.partition("bucket")].delete(keys.FENCE)
        catalog.losses = 1
        with pytest.raises(NoSuchBucketError):
            await store.buckets.delete("bucket")

    run(test)


def test_failed_maintenance_is_logged_and_tried_again(monkeypatch, caplog):
    monkeypatch.setattr("ingot.store.maintenance.INTERVAL_S", 0.001)
    caplog.set_level(logging.INFO)

    async def test():
        store = memory_store()
        await store.buckets.create("bucket")
        calls, again = 0, asyncio.Event()

        async def collect():
            nonlocal calls
            calls += 1
            if calls <= 2:
                raise StoreFailedError("the device hiccups")
            if calls == 4:
                again.set()  # what the third one did was told
            return 7

        monkeypatch.setattr(store.maintenance, "collect", collect)
        task = asyncio.create_task(store.maintenance.run())
        await asyncio.wait_for(again.wait(), 30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()

    asyncio.run(test())
    messages = [record.getMessage() for record in caplog.records]
    assert messages.count("store.maintenance.failed garbage") == 2
    assert "store.maintenance.done orphans=0 uploads=0 garbage=7 counted=0 given_back=0" in messages


def test_maintenance_waits_for_the_lock(monkeypatch):
    monkeypatch.setattr("ingot.store.maintenance.INTERVAL_S", 0.001)
    attempts = []

    @contextlib.contextmanager
    def lock():
        attempts.append(len(attempts) > 3)
        yield attempts[-1]

    async def test():
        catalog = MemoryCatalog()
        store = ObjectStore(catalog, MemoryBlobs(), clock=FakeClock(), maintenance_lock=lock)
        task = asyncio.create_task(store.maintenance.run())
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        store.close()

    asyncio.run(test())
    assert attempts == [False, False, False, False, True]


def test_closing_the_store_stops_a_sweep_before_it_decides():
    async def test():
        store = memory_store()
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "key", b"x" * 100_000)
        other = MemoryBlobs(store.bodies.blobs._device)
        other.writer().append(b"orphan")
        other.close()
        store.maintenance.stop()
        await store.maintenance._round()
        assert len(store.bodies.blobs.ended_sessions()) == 1
        store.close()

    asyncio.run(test())
