"""Sparse archives, unpacked by GNU tar and by Python."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from ingot.appliance.media.sparsetar import write_sparse_tar

SIZE_BYTES = 8 << 20
EXTENTS = [(0, 4096), (1 << 20, 512), (SIZE_BYTES - 1024, 1024)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    with path.open("wb") as file:
        for offset, size in EXTENTS:
            file.seek(offset)
            file.write(bytes([size % 251 + 1]) * size)
    return path


@pytest.fixture
def archive(source: Path) -> bytes:
    sink = io.BytesIO()
    write_sparse_tar("disk.raw", source, EXTENTS, sink)
    return sink.getvalue()


def test_tar_restores_the_file_and_its_holes(source: Path, archive: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    subprocess.run(["tar", "-xf", "-", "-C", folder], input=archive, check=True)
    restored = folder / "disk.raw"
    assert restored.read_bytes() == source.read_bytes()
    assert restored.stat().st_blocks * 512 < SIZE_BYTES // 2
    assert restored.stat().st_mtime == 0


def test_python_reads_it_too(source: Path, archive: bytes) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        [member] = opened
        body = opened.extractfile(member)
        assert body is not None
        assert body.read() == source.read_bytes()


def test_holes_take_no_room(archive: bytes) -> None:
    assert len(archive) == 10240


def test_a_disk_of_more_than_eight_gibibytes_is_restored(tmp_path: Path) -> None:
    """Such numbers have more octal digits than there is room for."""
    size_bytes = 9 << 30
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(size_bytes - 512)
        file.seek(0, 2)
        file.write(b"end".ljust(512, b"!"))
    sink = io.BytesIO()
    write_sparse_tar("disk.raw", source, [(size_bytes - 512, 512)], sink)
    subprocess.run(["tar", "-xf", "-", "-C", tmp_path], input=sink.getvalue(), check=True)
    restored = tmp_path / "disk.raw"
    assert restored.stat().st_size == size_bytes
    with restored.open("rb") as file:
        file.seek(-512, 2)
        assert file.read().startswith(b"end!")
    with tarfile.open(fileobj=io.BytesIO(sink.getvalue())) as opened:
        assert [member.size for member in opened] == [size_bytes]
