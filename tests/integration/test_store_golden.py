"""A directory that an older format wrote is read by every later release."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from ingot.store.check import check_directory
from ingot.store.store import ObjectStore
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.clock import FakeClock
from ingot.testing.stores import put_bytes, read_bytes

GOLDEN = Path(__file__).parents[1] / "golden" / "disk"
WRITTEN_NS = 1_800_000_000 * 10**9


def test_format_1_is_read_and_written(tmp_path):
    async def test():
        clock = FakeClock()
        clock.advance(10**6)
        store = ObjectStore.open(tmp_path / "store", clock=clock)
        assert store.buckets.get("golden").created_ns == WRITTEN_NS
        page = store.objects.list("golden")
        assert [item.key for item in page.objects] == ["blob", "inline/ä\x01", "parts"]
        inline = store.objects.get("golden", "inline/ä\x01")
        assert inline.body == b"inline content"
        assert inline.record.attributes.headers == {"content-type": "text/plain"}
        assert inline.record.attributes.metadata == {"colour": "blue"}
        assert inline.record.checksums == {"CRC32": "QuEr3Q=="}
        blob = store.objects.get("golden", "blob").record
        assert blob.modified_ns == WRITTEN_NS + 10**9
        assert blob.checksums.keys() == {"CRC64NVME", "SHA256"}
        assert await read_bytes(store, "golden", "blob") == random_bytes(40_000, 7)
        parts = store.objects.get("golden", "parts")
        assert [(part.number, part.size_bytes) for part in parts.parts] == [(3, 8)]
        assert parts.record.checksum_type == "FULL_OBJECT"
        assert await read_bytes(store, "golden", "parts") == b"one part"
        (upload,) = store.uploads.list("golden").uploads
        (part,) = store.uploads.list_parts("golden", "open", upload.record.upload_id).parts
        assert b"".join(store.bodies.blobs.read(part.blob)) == b"part of an open upload"
        assert await store.maintenance.collect() == 1
        assert await store.maintenance.sweep() == 0
        await put_bytes(store, "golden", "new", b"content")
        store.close()

    shutil.copytree(GOLDEN / "format-1", tmp_path / "store")
    asyncio.run(test())


def test_the_sealed_records_of_catalog_3_are_read_and_written(tmp_path):
    async def test():
        clock = FakeClock()
        clock.advance(10**6)
        store = ObjectStore.open(tmp_path / "store", clock=clock)
        inline = store.objects.get("golden", "inline/ä\x01")
        assert inline.body == b"inline content"
        assert inline.record.attributes.metadata == {"colour": "blue"}
        assert await read_bytes(store, "golden", "blob") == random_bytes(40_000, 7)
        assert await read_bytes(store, "golden", "parts") == b"one part"
        marker, second, first = store.objects.list_versions("versions").versions
        assert (marker.record.delete_marker, marker.is_latest) == (True, True)
        for version, content in ((first, b"first"), (second, b"second")):
            found = store.objects.get("versions", "key", version_id=version.record.version_id)
            assert found.body == content
        (upload,) = store.uploads.list("golden").uploads
        (part,) = store.uploads.list_parts("golden", "open", upload.record.upload_id).parts
        assert b"".join(store.bodies.blobs.read(part.blob)) == b"part of an open upload"
        assert await store.maintenance.collect() == 1
        await put_bytes(store, "golden", "new", b"content")
        store.close()

    shutil.copytree(GOLDEN / "catalog-3", tmp_path / "store")
    asyncio.run(test())


def test_format_2_is_read_and_written(tmp_path):
    async def test():
        clock = FakeClock()
        clock.advance(10**6)
        store = ObjectStore.open(tmp_path / "store", clock=clock)
        packed = {"packed": (40_000, 7), "packed/small part of a pack": (33_000, 8)}
        for key, made_from in packed.items():
            assert await read_bytes(store, "golden", key) == random_bytes(*made_from)
        assert await read_bytes(store, "golden", "file") == b"own file"
        assert await read_bytes(store, "golden", "inline") == b"inline content"
        assert await read_bytes(store, "golden", "parts") == b"one part"
        (upload,) = store.uploads.list("golden").uploads
        (part,) = store.uploads.list_parts("golden", "open", upload.record.upload_id).parts
        assert b"".join(store.bodies.blobs.read(part.blob)) == b"part of an open upload"
        assert await store.maintenance.sweep() == 0
        assert await store.maintenance.collect() == 1
        assert await read_bytes(store, "golden", "packed") == random_bytes(40_000, 7)
        await put_bytes(store, "golden", "new", random_bytes(50_000, 10))
        assert await read_bytes(store, "golden", "new") == random_bytes(50_000, 10)
        store.close()

    shutil.copytree(GOLDEN / "format-2", tmp_path / "store")
    asyncio.run(test())
    assert check_directory(tmp_path / "store", lambda _: None).problems == []
