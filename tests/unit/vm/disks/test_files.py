import shutil
import subprocess
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, Error, MissingToolError, NotFoundError, UsageError
from ingot.vm.disks.files import parse_disks, prepare
from ingot.vm.machine import Disk

MIB = 1 << 20


def test_disks_are_read_in_the_order_the_guest_sees_them(tmp_path: Path) -> None:
    texts = ["size=4G", f"{tmp_path}/a.raw", "file=b.qcow2,size=8", "c,format=qcow2,size=512M"]
    first, second, third, fourth = parse_disks(texts, tmp_path / "machine")
    assert first == Disk(str(tmp_path / "machine/disk-0.img"), "raw", 4 << 30)
    assert second == Disk(f"{tmp_path}/a.raw", "raw", None)
    assert third == Disk(str(Path("b.qcow2").absolute()), "qcow2", 8 << 30)
    assert fourth == Disk(str(Path("c").absolute()), "qcow2", 512 * MIB)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cannot read ''"),
        ("format=raw", "a size or a file is needed"),
        ("size=4G,speed=1", "cannot read 'speed=1'"),
        ("size=4G,size=5G", "cannot read 'size=5G'"),
        ("size=4G,disk.img", "cannot read 'disk.img'"),
        ("size=big", "'big' is not a size"),
        ("size=1000000B", "at least 1.0 MiB"),
        ("size=1048577B", "whole sectors"),
        ("x.img,format=vmdk", "'vmdk' is no disk format"),
    ],
)
def test_disk_says_what_is_wrong(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_disks([text], tmp_path)


def test_one_file_cannot_be_two_disks(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with pytest.raises(UsageError, match="given twice"):
        parse_disks([f"{tmp_path}/a", f"{tmp_path}/link"], tmp_path)


def test_there_is_an_end_to_disks(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at most 16"):
        parse_disks(["size=1G"] * 17, tmp_path)


def test_a_missing_disk_is_created_sparse_and_private(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    prepare(Disk(str(path), "raw", 4 << 30))
    assert path.stat().st_size == 4 << 30
    assert path.stat().st_blocks == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_exists_keeps_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"precious" + bytes(MIB - 8))
    prepare(Disk(str(path), "raw", MIB))
    assert path.read_bytes()[:8] == b"precious"


def test_a_disk_grows_but_never_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"precious" + bytes(MIB - 8))
    prepare(Disk(str(path), "raw", 2 * MIB))
    assert path.stat().st_size == 2 * MIB
    assert path.read_bytes()[:8] == b"precious"
    with pytest.raises(ConflictError, match=r"has 2.0 MiB, more than the 1.0 MiB asked for"):
        prepare(Disk(str(path), "raw", MIB))
    assert path.stat().st_size == 2 * MIB


def test_what_a_creation_cut_short_left_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.touch()
    prepare(Disk(str(path), "raw", MIB))
    assert path.stat().st_size == MIB


def test_a_disk_without_size_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist") as caught:
        prepare(Disk(str(tmp_path / "disk.img")))
    assert caught.value.hint is not None
    assert "size=4G" in caught.value.hint
    with pytest.raises(NotFoundError, match="the folder"):
        prepare(Disk(str(tmp_path / "nowhere/disk.img"), "raw", MIB))


def test_a_folder_is_no_disk(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a file nor a block device"):
        prepare(Disk(str(tmp_path), "raw", MIB))


def test_a_raw_disk_with_a_qcow2_header_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"QFI\xfb" + bytes(MIB))
    with pytest.raises(ConflictError, match="looks like qcow2 but is used as raw"):
        prepare(Disk(str(path)))
    path.write_bytes(bytes(MIB))
    with pytest.raises(ConflictError, match="looks like raw but is used as qcow2"):
        prepare(Disk(str(path), "qcow2"))


def test_a_qcow2_disk_is_created_and_grown(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    prepare(Disk(str(path), "qcow2", 8 * MIB))
    assert path.stat().st_size < 8 * MIB
    prepare(Disk(str(path), "qcow2", 16 * MIB))
    with pytest.raises(ConflictError, match=r"has 16.0 MiB"):
        prepare(Disk(str(path), "qcow2", 8 * MIB))
    program = shutil.which("qemu-img")
    assert program
    info = subprocess.run([program, "info", str(path)], check=True, capture_output=True, text=True)
    assert "16777216 bytes" in info.stdout


def test_qcow2_without_qemu_img_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        prepare(Disk(str(tmp_path / "disk.qcow2"), "qcow2", 8 * MIB))
    assert caught.value.hint is not None
    assert "qemu-utils" in caught.value.hint


def test_the_words_of_qemu_img_are_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(b"QFI\xfb" + bytes(100))
    with pytest.raises(Error, match=r"qemu-img failed: .+"):
        prepare(Disk(str(path), "qcow2", 8 * MIB))
