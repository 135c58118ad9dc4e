"""Packs on a real filesystem: space returns, what is alive stays, nobody's pack is taken."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from ingot.store.backup import copy_store
from ingot.store.blobs import holes
from ingot.store.blobs.contract import BlobRef
from ingot.store.blobs.files import FileBlobs
from ingot.store.blobs.packs import Place
from ingot.store.check import check_directory
from ingot.store.errors import BlobDamagedError, StoreFailedError, StoreFullError
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes, store_whole
from ingot.testing.clock import FakeClock
from ingot.testing.stores import put_bytes, read_bytes

CONTENT = random_bytes(100_000)


def allocated_bytes(root: Path) -> int:
    return sum(pack.stat().st_blocks * 512 for pack in (root / "packs").iterdir())


def packs(root: Path) -> list[str]:
    return sorted(os.listdir(root / "packs"))


def open_packs() -> list[str]:
    paths = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return sorted(os.path.basename(path) for path in paths if "/packs/" in path)


def test_space_returns_with_each_blob(tmp_path):
    blobs = FileBlobs(tmp_path)
    refs = store_whole(blobs, *[CONTENT] * 10)
    full_bytes = allocated_bytes(tmp_path)
    for gone, ref in enumerate(refs[:-1], 1):
        blobs.delete([ref.id])
        assert allocated_bytes(tmp_path) == full_bytes * (10 - gone) // 10
    assert b"".join(blobs.read(refs[-1])) == CONTENT
    blobs.close()


def test_an_empty_pack_goes_when_nobody_adds_to_it(tmp_path):
    writer, deleter = FileBlobs(tmp_path), FileBlobs(tmp_path)
    first, second = store_whole(writer, CONTENT)[0], store_whole(writer, CONTENT)[0]
    deleter.delete([first.id, second.id])
    assert len(packs(tmp_path)) == 1, "its session may add blobs"
    (third,) = store_whole(writer, CONTENT)
    assert Place.parse(third.id).pack == packs(tmp_path)[0]
    assert b"".join(deleter.read(third)) == CONTENT
    writer.close(settled=True)
    assert len(packs(tmp_path)) == 1
    deleter.delete([third.id])
    assert packs(tmp_path) == []
    deleter.delete([third.id])
    deleter.close(settled=True)


def test_a_full_pack_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr("ingot.store.blobs.packwriter.PACK_BYTES_MAX", 256 * 1024)
    blobs = FileBlobs(tmp_path)
    refs = [store_whole(blobs, CONTENT)[0] for _ in range(5)]
    assert [Place.parse(ref.id).pack[-1] for ref in refs] == ["0", "0", "1", "1", "2"]
    blobs.delete([refs[0].id, refs[1].id])
    assert len(packs(tmp_path)) == 2
    blobs.delete([refs[4].id])
    assert len(packs(tmp_path)) == 2, "it is written to still"
    (again,) = store_whole(blobs, CONTENT)
    assert b"".join(blobs.read(again)) == CONTENT
    blobs.close(settled=True)
    other = FileBlobs(tmp_path)
    assert [b"".join(other.read(ref)) for ref in refs[2:4]] == [CONTENT] * 2
    other.close()


def test_a_deleted_blob_is_not_read_as_zeros(tmp_path):
    blobs = FileBlobs(tmp_path)
    gone, kept = store_whole(blobs, CONTENT, CONTENT)
    blobs.delete([gone.id])
    with pytest.raises(BlobDamagedError, match="missing"):
        list(blobs.read(gone))
    with pytest.raises(BlobDamagedError):
        list(blobs.read(BlobRef(kept.id[:-3] + "001", kept.size_bytes, kept.seal ^ 1)))
    blobs.close()


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.ENOSPC, StoreFullError), (errno.EIO, OSError)]
)
def test_after_a_write_that_failed_blobs_go_elsewhere(tmp_path, monkeypatch, number, raised):
    blobs = FileBlobs(tmp_path)
    (kept,) = store_whole(blobs, CONTENT)
    pwritev = os.pwritev

    def half(descriptor, pieces, offset):
        pwritev(descriptor, pieces[:1], offset)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwritev", half)
    with pytest.raises(raised):
        store_whole(blobs, CONTENT)
    monkeypatch.undo()
    (later,) = store_whole(blobs, CONTENT)
    assert Place.parse(later.id).pack != Place.parse(kept.id).pack
    assert allocated_bytes(tmp_path) < 2.2 * len(CONTENT)
    blobs.close(settled=True)
    other = FileBlobs(tmp_path)
    assert len(other.ended_sessions()) == 1, "a sweep shall look at what the device did"
    assert [b"".join(other.read(ref)) for ref in (kept, later)] == [CONTENT] * 2
    other.close()


def test_what_had_its_place_in_a_pack_that_failed_is_refused(tmp_path, monkeypatch):
    blobs = FileBlobs(tmp_path)
    first, second = blobs.draft(CONTENT), blobs.draft(CONTENT)

    def full(descriptor, pieces, offset):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwritev", full)
    assert isinstance(blobs.seal([first])[0], StoreFullError)
    monkeypatch.undo()
    assert all(isinstance(failure, StoreFullError) for failure in blobs.seal([first, second]))
    assert packs(tmp_path) == []
    store_whole(blobs, CONTENT)
    assert open_packs() == packs(tmp_path)
    blobs.close()


def test_drafts_that_are_dropped_take_no_room(tmp_path):
    blobs = FileBlobs(tmp_path)
    drafts = [blobs.draft(CONTENT) for _ in range(5)]
    blobs.delete([drafts[1].ref.id, drafts[3].ref.id])
    staying = [drafts[4], drafts[0], drafts[2]]
    assert blobs.seal(staying) == [None] * 3
    assert blobs.seal(staying) == [None] * 3
    assert allocated_bytes(tmp_path) < 3.2 * len(CONTENT)
    assert [b"".join(blobs.read(draft.ref)) for draft in staying] == [CONTENT] * 3
    with pytest.raises(BlobDamagedError):
        list(blobs.read(drafts[1].ref))
    blobs.close(settled=True)


def test_a_full_pack_stays_open_for_its_drafts(tmp_path, monkeypatch):
    monkeypatch.setattr("ingot.store.blobs.packwriter.PACK_BYTES_MAX", 256 * 1024)
    blobs = FileBlobs(tmp_path)
    drafts = [blobs.draft(CONTENT) for _ in range(5)]
    assert blobs.seal(drafts[4:]) == [None]
    assert blobs.seal(drafts[:1]) == [None]
    assert len(open_packs()) == 2
    assert blobs.seal(drafts[1:4]) == [None] * 3
    assert open_packs() == packs(tmp_path)[2:]
    assert [b"".join(blobs.read(draft.ref)) for draft in drafts] == [CONTENT] * 5
    blobs.close(settled=True)
    assert open_packs() == []


def test_a_sync_that_failed_is_final(tmp_path, monkeypatch):
    reasons = []
    blobs = FileBlobs(tmp_path, on_failure=reasons.append)
    store_whole(blobs, CONTENT)

    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreFailedError):
        store_whole(blobs, CONTENT)
    assert "cannot be synced" in reasons[0]
    monkeypatch.undo()
    blobs.close()


def test_a_pack_whose_name_cannot_be_synced_is_left_to_the_sweep(tmp_path, monkeypatch):
    blobs = FileBlobs(tmp_path)

    def fail(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("ingot.store.blobs.syncs.fsync_directory", fail)
    with pytest.raises(StoreFailedError):
        store_whole(blobs, CONTENT)
    monkeypatch.undo()
    blobs.close(settled=True)
    other = FileBlobs(tmp_path)
    (session,) = other.ended_sessions()
    with other.claim(session):
        assert other.sweep([session], lambda: iter(())) == 0
        other.settle(session)
    assert packs(tmp_path) == []
    other.close(settled=True)


def test_short_writes_of_a_pack_are_written_on(tmp_path, monkeypatch):
    pwritev = os.pwritev

    def short(descriptor, pieces, offset):
        return pwritev(descriptor, [memoryview(pieces[0])[:30_000]], offset)

    monkeypatch.setattr(os, "pwritev", short)
    blobs = FileBlobs(tmp_path)
    refs = store_whole(blobs, CONTENT, b"small", CONTENT)
    assert [b"".join(blobs.read(ref)) for ref in refs] == [CONTENT, b"small", CONTENT]
    blobs.close()


def test_packs_brought_to_a_filesystem_without_holes_are_read(tmp_path, monkeypatch):
    blobs = FileBlobs(tmp_path)
    first, second = store_whole(blobs, CONTENT, CONTENT)
    blobs.close()
    monkeypatch.setattr(holes, "_fallocate", None)
    elsewhere = FileBlobs(tmp_path)
    assert elsewhere.whole_bytes_max == 0
    (clone,) = elsewhere.clone([first])
    assert Place.parse(clone.id) is None
    elsewhere.delete([first.id])
    for ref in (second, clone):
        assert b"".join(elsewhere.read(ref)) == CONTENT
    elsewhere.close()


@pytest.mark.parametrize("link", [False, True])
def test_a_copy_of_the_store_has_packs_of_its_own(tmp_path, link):
    async def fill(store):
        await store.buckets.create("bucket")
        for index in range(5):
            await put_bytes(store, "bucket", f"key{index}", CONTENT)
        await store.objects.delete_many("bucket", ["key1", "key3"])
        clock.advance(10**6)
        assert await store.maintenance.collect() == 2
        store.close()

    async def delete_all(store):
        await store.objects.delete_many("bucket", [f"key{index}" for index in range(5)])
        clock.advance(10**6)
        assert await store.maintenance.collect() == 3
        store.close()

    async def read(store):
        for index in (0, 2, 4):
            assert await read_bytes(store, "bucket", f"key{index}") == CONTENT
        store.close()

    clock = FakeClock()
    root, target = tmp_path / "store", tmp_path / "copy"
    asyncio.run(fill(ObjectStore.open(root, clock=clock)))
    target.mkdir()
    report = copy_store(root, target, lambda _: None, link=link)
    assert (report.problems, report.blobs, report.unnamed_blobs) == ([], 3, 0)
    asyncio.run(delete_all(ObjectStore.open(root, clock=clock)))
    assert packs(root / "blobs") == []
    asyncio.run(read(ObjectStore.open(target, clock=clock)))
    assert check_directory(target, lambda _: None).problems == []


def test_the_check_sees_what_no_record_names(tmp_path):
    async def leave_one(store):
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "key", CONTENT)
        store_whole(store.bodies.blobs, b"named by nobody")
        store.close()

    asyncio.run(leave_one(ObjectStore.open(tmp_path)))
    report = check_directory(tmp_path, lambda _: None)
    assert (report.problems, report.blobs, report.unnamed_blobs) == ([], 2, 1)
