"""Disks of hypervisors: qemu-img reads back the same disk, and nothing in them is random."""

import os
import stat
import struct
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ingot.appliance.hypervisors import with_content_id, write_vhd, write_vmdk
from ingot.appliance.qemuimg import convert
from ingot.base.errors import Error, IntegrityError

SIZE_BYTES = 5 << 20
TEXT = b'# Disk DescriptorFile\nversion=1\nCID=%s\nparentCID=ffffffff\nddb.toolsVersion = "1"\n'
LENGTH_BYTES = 512


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    path = tmp_path / "raw"
    with path.open("wb") as file:
        file.write(os.urandom(100_000))
        file.truncate(SIZE_BYTES - 512)
        file.seek(0, os.SEEK_END)
        file.write(b"end".ljust(512))
    return path


def assert_same_disk(raw: Path, image: Path, image_format: str) -> None:
    command = ["qemu-img", "compare", "-f", "raw", "-F", image_format, raw, image]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_vmdk_is_the_same_disk_twice(raw: Path, tmp_path: Path) -> None:
    # A VMDK holds its own file's name.
    images = [tmp_path / "one" / "disk.vmdk", tmp_path / "two" / "disk.vmdk"]
    for image in images:
        image.parent.mkdir()
        write_vmdk(raw, image, "name")
    assert images[0].read_bytes() == images[1].read_bytes()
    assert_same_disk(raw, images[0], "vmdk")
    write_vmdk(raw, tmp_path / "disk.vmdk", "other")
    assert (tmp_path / "disk.vmdk").read_bytes() != images[0].read_bytes()


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_vhd_is_the_same_disk_twice(raw: Path, tmp_path: Path, dynamic: bool) -> None:
    images = [tmp_path / "one.vhd", tmp_path / "two.vhd"]
    for image in images:
        write_vhd(raw, image, "name", dynamic=dynamic)
    data = images[0].read_bytes()
    assert data == images[1].read_bytes()
    assert_same_disk(raw, images[0], "vpc")
    footer = data[-512:]
    (checksum,) = struct.unpack_from(">I", footer, 64)
    assert checksum == ~sum(footer[:64] + footer[68:]) & 0xFFFF_FFFF
    assert struct.unpack_from(">I", footer, 24) == (0,)
    assert struct.unpack_from(">Q", footer, 48) == (SIZE_BYTES,)
    assert (data[:512] == footer) is dynamic
    assert (len(data) < SIZE_BYTES) is dynamic


def test_a_failed_conversion_says_why(raw: Path, tmp_path: Path) -> None:
    with pytest.raises(Error, match="qemu-img failed"):
        convert(raw, tmp_path / "missing" / "x", "qcow2")


@pytest.mark.parametrize("write", [write_vmdk, partial(write_vhd, dynamic=False)])
def test_another_qemu_img_is_not_trusted(
    raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, Path, str], None],
) -> None:
    tool = tmp_path / "bin" / "qemu-img"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nfor last; do :; done\nhead -c 20000 /dev/zero > "$last"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    with pytest.raises(IntegrityError, match=r"VMDK|VHD"):
        write(raw, tmp_path / "image", "name")


@pytest.mark.parametrize("drawn", [b"89abcdef", b"9abcdef", b"0"])
@pytest.mark.parametrize("left_over", [b"", b"\0\n", b"\0\0\n"])
def test_a_descriptor_does_not_depend_on_the_number_that_was_drawn(
    drawn: bytes, left_over: bytes
) -> None:
    written = (TEXT % drawn + left_over).ljust(LENGTH_BYTES, b"\0")
    expected = (TEXT % b"0000abcd").ljust(LENGTH_BYTES, b"\0")
    assert with_content_id(written, 0xABCD) == expected


@pytest.mark.parametrize("text", [b"version=1\n", TEXT % b"1" + b"CID=2\n"])
def test_a_strange_descriptor_is_refused(text: bytes) -> None:
    with pytest.raises(IntegrityError, match="content identifiers, not one"):
        with_content_id(text.ljust(LENGTH_BYTES, b"\0"), 1)
