"""VMDK disks: qemu-img reads back the same disk; a reader from front to back, as in an OVA, too."""

import os
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ingot.appliance.media.vmdk import disk_number, stored, write_vmdk

SECTOR_BYTES = 512
GRAIN_BYTES = 64 << 10
END, TABLE, DIRECTORY, FOOTER = range(4)


def disk(path: Path, size_bytes: int, *parts: tuple[int, bytes]) -> Path:
    with path.open("wb") as file:
        for offset, data in parts:
            file.seek(offset)
            file.write(data)
        file.truncate(size_bytes)
    return path


DISKS: dict[str, Callable[[Path], Path]] = {
    "small": lambda path: disk(
        path, 5 << 20, (0, os.urandom(100_000)), ((5 << 20) - 9, b"the end")
    ),
    # The last grain is cut off.
    "odd": lambda path: disk(path, (1 << 20) + 1024, ((1 << 20), b"x" * 1024)),
    "empty": lambda path: disk(path, 1 << 20),
    # Three tables, of which the one in the middle has no grain.
    "sparse": lambda path: disk(
        path, 80 << 20, (70_000, b"a"), (70 << 20, os.urandom(GRAIN_BYTES))
    ),
}


@pytest.fixture(params=DISKS)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return DISKS[request.param](tmp_path / "raw")


def test_qemu_img_reads_the_same_disk(raw: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.vmdk"
    write_vmdk(raw, image, 1)
    command = ["qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    subprocess.run(["qemu-img", "check", "-q", image], check=True)
    assert image.stat().st_size < raw.stat().st_size + (1 << 20)


def test_a_reader_that_never_seeks_finds_all(raw: Path, tmp_path: Path) -> None:
    """Read as VirtualBox reads an OVA: markers say what comes next, up to the end's."""
    image = tmp_path / "disk.vmdk"
    write_vmdk(raw, image, 1)
    data = image.read_bytes()
    assert len(data) % SECTOR_BYTES == 0
    magic, version, flags, sectors, grain_sectors = struct.unpack_from("<4sIIQQ", data)
    assert (magic, version, flags, grain_sectors) == (b"KDMV", 3, 0x30001, 128)
    assert struct.unpack_from("<Q", data, 56) == (0xFFFF_FFFF_FFFF_FFFF,)
    (overhead,) = struct.unpack_from("<Q", data, 64)
    found = bytearray(sectors * SECTOR_BYTES)
    offset, kinds = overhead * SECTOR_BYTES, []
    while offset < len(data):
        value, size, kind = struct.unpack_from("<QII", data, offset)
        if size:
            grain = zlib.decompress(data[offset + 12 : offset + 12 + size])
            assert len(grain) == GRAIN_BYTES
            start = value * SECTOR_BYTES
            part = grain[: len(found) - start]
            found[start : start + len(part)] = part
            offset += -(-(12 + size) // SECTOR_BYTES) * SECTOR_BYTES
        else:
            kinds.append(kind)
            offset += (1 + value) * SECTOR_BYTES
    assert kinds[-3:] == [DIRECTORY, FOOTER, END]
    assert set(kinds[:-3]) <= {TABLE}
    assert bytes(found) == raw.read_bytes()
    footer = data[-2 * SECTOR_BYTES : -SECTOR_BYTES]
    (directory,) = struct.unpack_from("<Q", footer, 56)
    assert footer[:56] + data[56:64] + footer[64:] == data[:SECTOR_BYTES]
    assert struct.unpack_from("<QII", data, (directory - 1) * SECTOR_BYTES)[1:] == (0, DIRECTORY)


def test_the_descriptor_is_what_hypervisors_read(tmp_path: Path) -> None:
    image = tmp_path / "box-disk1.vmdk"
    write_vmdk(disk(tmp_path / "raw", 1 << 20), image, 0xABCD)
    text = image.read_bytes()[SECTOR_BYTES : 21 * SECTOR_BYTES].rstrip(b"\0").decode()
    rows = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    assert rows["CID"] == "0000abcd"
    assert rows["createType"] == '"streamOptimized"'
    assert rows["ddb.geometry.sectors "] == ' "63"'
    assert 'RDONLY 2048 SPARSE "box-disk1.vmdk"' in text.splitlines()


def test_the_same_disk_has_the_same_bytes_anywhere(raw: Path, tmp_path: Path) -> None:
    # A VMDK holds its own file's name.
    images = [tmp_path / "one" / "disk.vmdk", tmp_path / "two" / "disk.vmdk"]
    for image in images:
        image.parent.mkdir()
        write_vmdk(raw, image, disk_number("name"))
    assert images[0].read_bytes() == images[1].read_bytes()
    assert disk_number("name") != disk_number("other")


def test_a_large_disk_without_content_takes_no_time(tmp_path: Path) -> None:
    raw = disk(tmp_path / "raw", 8 << 40, (5 << 40, b"x"))
    write_vmdk(raw, tmp_path / "disk.vmdk", 1)
    assert (tmp_path / "disk.vmdk").stat().st_size < 2 << 20


@pytest.mark.parametrize("size_bytes", [1, 65_535, 65_536, 200_000])
def test_stored_bytes_are_what_zlib_reads(size_bytes: int) -> None:
    data = os.urandom(size_bytes)
    assert zlib.decompress(stored(data)) == data
