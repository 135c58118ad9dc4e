"""A device that is nearly full: bodies are refused early, deleting always works."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3

import pytest

from ingot.base.units import MIB
from ingot.store.blobs.contract import BlobRef
from ingot.store.blobs.files import FileBlobs
from ingot.store.errors import BlobDamagedError, NoSuchKeyError, StoreFullError
from ingot.store.space import Space
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes, write_blob
from ingot.testing.stores import put_bytes


def test_the_reserve_is_kept_free(tmp_path, monkeypatch):
    space = Space(tmp_path)
    space.check_body(1000)
    assert not space.only_for_deletions()
    with pytest.raises(StoreFullError, match="left"):
        space.check_body(1 << 60)
    monkeypatch.setattr("ingot.store.space.RESERVE_FRACTION", 1)
    monkeypatch.setattr("ingot.store.space.RESERVE_BYTES_MAX", 1 << 60)
    with pytest.raises(StoreFullError):
        space.check_body(0)


def test_a_full_store_refuses_bytes_and_lets_go_of_them(tmp_path, monkeypatch):
    async def test():
        store = ObjectStore.open(tmp_path, garbage_delay_s=0)
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "large", random_bytes(MIB))
        await put_bytes(store, "bucket", "small", b"content")
        monkeypatch.setattr("ingot.store.space.Space._measure", lambda self: (0, 1000))
        with pytest.raises(StoreFullError):
            await put_bytes(store, "bucket", "more", random_bytes(MIB))
        with pytest.raises(StoreFullError):
            await put_bytes(store, "bucket", "more", b"content")
        await store.objects.delete_many("bucket", ["large", "small"])
        assert await store.maintenance.collect() == 1
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "large")
        monkeypatch.undo()
        await put_bytes(store, "bucket", "more", b"content")
        assert store.failure is None
        store.close()

    asyncio.run(test())


def test_deletions_on_a_full_device_do_not_grow_the_log(tmp_path, monkeypatch):
    async def test():
        store = ObjectStore.open(tmp_path)
        await store.buckets.create("bucket")
        names = [f"key-{number}" for number in range(50)]
        for name in names:
            await put_bytes(store, "bucket", name, random_bytes(20_000))
        log = tmp_path / "catalog" / "catalog.sqlite-wal"
        full_bytes = log.stat().st_size
        assert full_bytes > 50 * 20_000
        monkeypatch.setattr("ingot.store.space.Space._measure", lambda self: (0, 1000))
        for name in names:
            await store.objects.delete("bucket", name)
            assert log.stat().st_size < full_bytes / 5
        store.close()

    asyncio.run(test())


def test_on_a_small_device_the_log_is_small(tmp_path, monkeypatch):
    monkeypatch.setattr("ingot.store.space.Space._measure", lambda self: (MIB, MIB // 2))

    async def test():
        store = ObjectStore.open(tmp_path)
        await store.buckets.create("bucket")
        for number in range(100):
            await put_bytes(store, "bucket", f"key-{number}", random_bytes(20_000))
        log = tmp_path / "catalog" / "catalog.sqlite-wal"
        assert log.stat().st_size < MIB // 2
        store.close()

    asyncio.run(test())


def test_a_write_that_meets_a_full_device_says_so(tmp_path):
    blobs = FileBlobs(tmp_path)
    writer = blobs.writer()
    os.close(writer._descriptor)
    writer._descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(StoreFullError):
        writer.append(b"content")
    writer.abort()
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []
    blobs.close()


def test_a_clone_without_links_is_a_copy(tmp_path, monkeypatch):
    def too_many_links(source, target):
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    blobs = FileBlobs(tmp_path)
    content = random_bytes(MIB + 1)
    ref = write_blob(blobs, content)
    monkeypatch.setattr(os, "link", too_many_links)
    (clone,) = blobs.clone([ref])
    blobs.delete([ref.id])
    assert b"".join(blobs.read(clone)) == content
    blobs.close()


@pytest.mark.parametrize("blob_id", ["", "../../etc/passwd", "0" * 12 + ".short", "x" * 23])
def test_an_id_never_leads_out_of_the_directory(tmp_path, blob_id):
    blobs = FileBlobs(tmp_path)
    with pytest.raises(BlobDamagedError, match="no name of a blob"):
        list(blobs.read(BlobRef(blob_id, 10, 0)))
    blobs.close()


def test_a_blob_of_another_format_is_refused(tmp_path):
    blobs = FileBlobs(tmp_path)
    ref = write_blob(blobs, b"content")
    session, digits = ref.id.split(".")
    path = tmp_path / "data" / session / digits[:7] / digits[7:]
    stored = bytearray(path.read_bytes())
    version_at = len(b"content") + 4 + 8
    assert stored[version_at] == 1
    stored[version_at] = 2
    path.write_bytes(stored)
    with pytest.raises(BlobDamagedError, match="format 2"):
        list(blobs.read(ref))
    blobs.close()


def test_room_that_deletions_left_goes_back_to_the_device(tmp_path):
    async def test():
        store = ObjectStore.open(tmp_path)
        await store.buckets.create("bucket")
        names = [f"key-{number}" for number in range(300)]
        content = random_bytes(30_000)
        await asyncio.gather(*(put_bytes(store, "bucket", name, content) for name in names))
        await store.objects.delete_many("bucket", names[:-10])
        steps = 0
        while store._catalog.give_back():
            steps += 1
        assert 5 < steps < 50
        for name in names[-10:]:
            assert store.objects.get("bucket", name).body == content
        store.close()
        assert (tmp_path / "catalog" / "catalog.sqlite").stat().st_size < 100 * 30_000

    asyncio.run(test())


def test_a_catalog_that_cannot_be_shortened_uses_its_free_pages(tmp_path, monkeypatch):
    async def test():
        connect = sqlite3.connect

        def connect_of_before(*arguments, **options):
            connection = connect(*arguments, **options)
            connection.execute("PRAGMA journal_mode = WAL")  # the choice is made with this
            return connection

        monkeypatch.setattr("ingot.store.catalog.sqlite.sqlite3.connect", connect_of_before)
        store = ObjectStore.open(tmp_path, garbage_delay_s=0)
        await store.buckets.create("bucket")
        content = random_bytes(30_000)
        names = [f"key-{number}" for number in range(50)]
        await asyncio.gather(*(put_bytes(store, "bucket", name, content) for name in names))
        monkeypatch.setattr("ingot.store.space.Space._measure", lambda self: (0, 10_000_000))
        with pytest.raises(StoreFullError):
            await put_bytes(store, "bucket", "new", content)
        await store.objects.delete_many("bucket", names)
        assert not store._catalog.give_back()
        putting = (put_bytes(store, "bucket", f"new-{name}", content) for name in names)
        outcomes = await asyncio.gather(*putting, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, StoreFullError)]
        assert 1 < len(refused) < 35
        assert len(store.objects.list("bucket").objects) == 50 - len(refused)
        store.close()

    asyncio.run(test())
