"""Every engine of blobs keeps the contract."""

from __future__ import annotations

import pytest

from ingot.store.blobs.files import FileBlobs
from ingot.store.blobs.memory import MemoryBlobs, MemoryDevice
from ingot.store.blobs.packs import Place
from ingot.testing.blobs_contract import BlobsContract


class TestFileBlobs(BlobsContract):
    @pytest.fixture
    def open_blobs(self, tmp_path):
        return lambda: FileBlobs(tmp_path / "blobs")

    @pytest.fixture
    def damage(self, tmp_path):
        def flip(blob_id, offset):
            place = Place.parse(blob_id)
            if place is not None:
                path = tmp_path / "blobs" / "packs" / place.pack
                offset += place.offset
            else:
                session, digits = blob_id.split(".")
                path = tmp_path / "blobs" / "data" / session / digits[:7] / digits[7:]
            with path.open("r+b") as file:
                file.seek(offset)
                (byte,) = file.read(1)
                file.seek(offset)
                file.write(bytes((byte ^ 0x10,)))

        return flip


class TestFileBlobsWithoutPacks(TestFileBlobs):
    """As on filesystems that cannot free a part of a file."""

    @pytest.fixture(autouse=True)
    def no_holes(self, monkeypatch):
        monkeypatch.setattr("ingot.store.blobs.holes._fallocate", None)


class TestMemoryBlobs(BlobsContract):
    @pytest.fixture
    def device(self):
        return MemoryDevice()

    @pytest.fixture
    def open_blobs(self, device):
        return lambda: MemoryBlobs(device)

    @pytest.fixture
    def damage(self, device):
        def flip(blob_id, offset):
            device.files[blob_id][offset] ^= 0x10

        return flip
