"""Large bodies on a real device: bounded memory, aborts that leave nothing, damage that shows."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import subprocess
import sys

import pytest

from ingot.base.units import MIB
from ingot.store.errors import BlobDamagedError, NoSuchKeyError, StoreFullError
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.stores import make_body, put_bytes, read_bytes


def with_store(root, test):
    async def body():
        store = ObjectStore.open(root)
        try:
            await store.buckets.create("bucket")
            await test(store)
        finally:
            store.close()

    asyncio.run(body())


def blob_files(root):
    return [path for path in (root / "blobs" / "data").rglob("*") if path.is_file()]


@pytest.mark.parametrize("size_bytes", [0, 10, 100_000, 3 * MIB])
def test_an_aborted_body_leaves_nothing(tmp_path, size_bytes):
    async def test(store):
        writer = store.bodies.writer()
        for _ in range(size_bytes // 100_000 + 1):
            await writer.write(b"x" * min(size_bytes, 100_000))
        await writer.abort()
        await writer.abort()
        assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


@pytest.mark.parametrize("processors", [1, 2, 64])
def test_bodies_are_summed_up_the_same_in_one_thread_and_in_two(tmp_path, processors):
    contents = [random_bytes(size, size) for size in (MIB, 3 * MIB + 17, 5 * MIB)]

    async def test(store):
        store.bodies._processors = processors
        bodies = await asyncio.gather(
            *(make_body(store, content, checksums=("CRC32C",)) for content in contents)
        )
        assert store.bodies.streams == 0
        for body, content in zip(bodies, contents, strict=True):
            assert body.md5 == hashlib.md5(content).hexdigest()
            assert body.sha256 == hashlib.sha256(content).hexdigest()
            assert body.size_bytes == len(content)
            assert b"".join(store.bodies.blobs.read(body.blob)) == content
            await body.discard()
        writer = store.bodies.writer()
        await writer.write(contents[1])
        await writer.abort()
        assert (store.bodies.streams, store.bodies.in_hand) == (0, 0)
        assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


def test_a_finished_body_can_be_discarded(tmp_path):
    async def test(store):
        body = await make_body(store, random_bytes(MIB))
        assert len(blob_files(tmp_path)) == 1
        await body.discard()
        await body.discard()
        writer = store.bodies.writer()
        await writer.write(random_bytes(MIB))
        await writer.finish()
        await writer.abort()
        assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


def test_a_cancelled_writer_is_aborted(tmp_path):
    async def test(store):
        async def receive():
            writer = store.bodies.writer()
            try:
                while True:
                    await writer.write(b"x" * MIB)
                    await asyncio.sleep(0)
            finally:
                await writer.abort()

        task = asyncio.create_task(receive())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


def test_a_writer_cancelled_while_sealing_leaves_nothing(tmp_path):
    async def test(store):
        async def receive():
            writer = store.bodies.writer()
            try:
                await writer.write(random_bytes(MIB))
                return await writer.finish()
            except BaseException:
                await writer.abort()
                raise

        for delay_s in (0, 0.001, 0.002, 0.003):
            task = asyncio.create_task(receive())
            await asyncio.sleep(delay_s)
            if task.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                await (await task).discard()
            assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


def test_a_body_learns_while_it_comes_that_the_device_is_full(tmp_path, monkeypatch):
    async def test(store):
        write, written = os.write, 0

        def full(descriptor, data):
            nonlocal written
            if not isinstance(data, memoryview) or len(data) < 4096:
                return write(descriptor, data)
            written += len(data)
            if written > 3 * MIB:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", full)
        writer = store.bodies.writer(size_hint=100 * MIB)
        taken = 0

        async def write_all():
            nonlocal taken
            for _ in range(100):
                await writer.write(b"x" * MIB)
                taken += 1

        with pytest.raises(StoreFullError):
            await write_all()
        await writer.abort()
        assert taken < 10
        assert (store.bodies.streams, store.bodies.in_hand) == (0, 0)
        assert blob_files(tmp_path) == []

    with_store(tmp_path, test)


def test_a_reader_that_leaves_early_closes_its_file(tmp_path):
    async def test(store):
        await put_bytes(store, "bucket", "key", random_bytes(8 * MIB))
        (path,) = blob_files(tmp_path)
        pieces = store.objects.read(store.objects.get("bucket", "key"))
        async for _ in pieces:
            break
        await pieces.aclose()
        store.bodies.close()
        assert path.name not in open_files()

    with_store(tmp_path, test)


async def collect(source, pieces):
    async for piece in source:
        pieces.append(piece)


def open_files():
    """Return the names of the files this process has open."""
    names = set()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            names.add(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        except OSError:
            continue
    return names


@pytest.mark.parametrize("offset", [0, MIB + 17, 2 * MIB + 100, 2 * MIB + 501])
def test_a_flipped_bit_on_disk_never_reaches_the_reader(tmp_path, offset):
    content = random_bytes(2 * MIB + 500)

    async def test(store):
        await put_bytes(store, "bucket", "key", content)
        (path,) = blob_files(tmp_path)
        stored = bytearray(path.read_bytes())
        stored[offset] ^= 0x01
        path.write_bytes(stored)
        pieces = []
        with pytest.raises(BlobDamagedError):
            await collect(store.objects.read(store.objects.get("bucket", "key")), pieces)
        read = b"".join(pieces)
        assert content.startswith(read)
        assert len(read) <= (offset if offset < len(content) else 0)

    with_store(tmp_path, test)


@pytest.mark.parametrize("cut", [0, 100, MIB, 2 * MIB + 499])
def test_a_cut_file_is_damage(tmp_path, cut):
    async def test(store):
        await put_bytes(store, "bucket", "key", random_bytes(2 * MIB + 500))
        (path,) = blob_files(tmp_path)
        with path.open("r+b") as file:
            file.truncate(cut)
        with pytest.raises(BlobDamagedError):
            await read_bytes(store, "bucket", "key")

    with_store(tmp_path, test)


def test_bytes_and_names_are_synced_before_the_record_is_written(tmp_path, monkeypatch):
    synced = []

    async def test(store):
        partition = store.buckets.partition("bucket")
        real_fsync = os.fsync

        def fsync(descriptor):
            name = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path)
            committed = store._catalog.get(partition, b"o/key") is not None
            synced.append((name, os.fstat(descriptor).st_size, committed))
            real_fsync(descriptor)

        await put_bytes(store, "bucket", "first", random_bytes(MIB))
        monkeypatch.setattr(os, "fsync", fsync)
        await put_bytes(store, "bucket", "key", random_bytes(MIB))
        monkeypatch.undo()
        blob = store.objects.get("bucket", "key").record.blob
        session, digits = blob.id.split(".")
        folder = f"blobs/data/{session}/{digits[:7]}"
        (file, size_bytes, _), (parent, *_) = synced
        assert (file, parent) == (f"{folder}/{digits[7:]}", folder)
        assert size_bytes > MIB, "the footer was written before the sync"
        assert not any(committed for *_, committed in synced)

    with_store(tmp_path, test)


def test_a_copy_shares_the_bytes_on_disk(tmp_path):
    async def test(store):
        await put_bytes(store, "bucket", "key", random_bytes(MIB))
        await store.objects.copy(store.objects.get("bucket", "key"), "bucket", "copy")
        assert len({path.stat().st_ino for path in blob_files(tmp_path)}) == 1

    with_store(tmp_path, test)


def test_a_cancelled_put_is_done_or_not_done(tmp_path):
    async def test(store):
        task = asyncio.create_task(put_bytes(store, "bucket", "key", random_bytes(MIB)))
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.sleep(0.05)
        try:
            found = await read_bytes(store, "bucket", "key")
        except NoSuchKeyError:
            return
        assert found == random_bytes(MIB)

    for attempt in range(5):
        with_store(tmp_path / str(attempt), test)


MEMORY = """
import asyncio, resource, sys
from pathlib import Path
from ingot.store.store import ObjectStore

CHUNK = bytes(256 * 1024)

async def main():
    store = ObjectStore.open(Path(sys.argv[1]))
    await store.buckets.create("bucket")
    async def transfer(mebibytes):
        writer = store.bodies.writer(checksums=("CRC32",))
        for _ in range(4 * mebibytes):
            await writer.write(CHUNK)
        await store.objects.put("bucket", "key", await writer.finish())
        async for piece in store.objects.read(store.objects.get("bucket", "key")):
            assert piece
    await transfer(8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await transfer(200)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    store.close()
    print(grown)

asyncio.run(main())
"""


def test_memory_does_not_grow_with_the_body(tmp_path):
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "store")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    grown_kib = int(done.stdout)
    assert grown_kib < 16 * 1024
