"""VHD disks: qemu-img reads back the same disk, and nothing in them is random."""

import os
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from ingot.appliance.hypervisors import write_vhd
from ingot.appliance.qemuimg import convert
from ingot.base.errors import Error, IntegrityError

SIZE_BYTES = 5 << 20


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


def test_another_qemu_img_is_not_trusted(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "qemu-img"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nfor last; do :; done\nhead -c 20000 /dev/zero > "$last"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    with pytest.raises(IntegrityError, match="VHD"):
        write_vhd(raw, tmp_path / "image", "name", dynamic=False)
