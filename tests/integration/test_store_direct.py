"""Large files written past the page cache hold the same bytes, whatever the filesystem can do."""

from __future__ import annotations

import errno
import os

import pytest

from ingot.base.direct import BUFFER_BYTES
from ingot.base.units import MIB
from ingot.store.blobs.direct import DirectFile
from ingot.store.blobs.files import FileBlobs
from ingot.store.errors import StoreFullError
from ingot.testing.blobs_contract import random_bytes, write_blob

SIZES = [0, 1, 4096, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES + 12345]


def write(path, content, step_bytes):
    file = DirectFile(path)
    for offset in range(0, len(content), step_bytes):
        file.write(content[offset : offset + step_bytes])
    file.finish()
    os.close(file.descriptor)
    file.release()
    return path.read_bytes()


@pytest.mark.parametrize("size_bytes", SIZES)
@pytest.mark.parametrize("step_bytes", [409_600, 2 * BUFFER_BYTES + 7])
def test_what_was_written_is_there(tmp_path, size_bytes, step_bytes):
    content = random_bytes(size_bytes)
    assert write(tmp_path / "file", content, step_bytes) == content


def test_a_filesystem_that_cannot_is_written_through_the_cache(tmp_path, monkeypatch):
    opened = os.open

    def refuse(path, flags, mode=0o777):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    content = random_bytes(2 * BUFFER_BYTES + 5)
    assert write(tmp_path / "file", content, 100_000) == content


def test_a_write_that_is_refused_or_cut_short_goes_on_through_the_cache(tmp_path, monkeypatch):
    os_write = os.write
    cuts = iter([5000, 100])

    def write_less(descriptor, data):
        return os_write(descriptor, data[: next(cuts, len(data))])

    # The kernel takes no 5,000 bytes directly, and what follows a cut is not aligned.
    monkeypatch.setattr(os, "write", write_less)
    content = random_bytes(3 * BUFFER_BYTES + 5)
    assert write(tmp_path / "file", content, 300_000) == content


@pytest.mark.parametrize("size_bytes", [4 * MIB, 5 * MIB + 17])
def test_a_large_blob_is_read_as_it_was_written(tmp_path, size_bytes):
    blobs = FileBlobs(tmp_path)
    content = random_bytes(size_bytes)
    ref = write_blob(blobs, content)
    assert b"".join(blobs.read(ref)) == content
    writer = blobs.writer(size_bytes)
    writer.append(content)
    writer.abort()
    assert len([path for path in (tmp_path / "data").rglob("*") if path.is_file()]) == 1
    blobs.close()


def test_a_full_device_is_said_for_large_blobs_too(tmp_path, monkeypatch):
    def full(descriptor, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    blobs = FileBlobs(tmp_path)
    writer = blobs.writer(8 * MIB)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreFullError):
        writer.append(random_bytes(2 * MIB))
    writer.abort()
    monkeypatch.undo()
    blobs.close()
