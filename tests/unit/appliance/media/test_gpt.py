"""Partition tables, read back by sgdisk."""

import subprocess
from pathlib import Path

from ingot.appliance.media.gpt import (
    EFI_SYSTEM,
    FIRST_OFFSET,
    LEGACY_BIOS_BOOTABLE,
    LINUX_DATA,
    Partition,
    table_pieces,
)
from ingot.appliance.media.pieces import write_pieces

SIZE_BYTES = 64 << 20
PARTITIONS = [
    Partition(EFI_SYSTEM, "boot", FIRST_OFFSET, 40 << 20, LEGACY_BIOS_BOOTABLE),
    Partition(LINUX_DATA, "root", FIRST_OFFSET + (40 << 20), 8 << 20),
]


def sgdisk(path: Path, *options: str) -> str:
    done = subprocess.run(
        ["/usr/sbin/sgdisk", *options, path], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_sgdisk_finds_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    write_pieces(path, SIZE_BYTES, table_pieces(PARTITIONS, disk="test", size_bytes=SIZE_BYTES))
    assert "No problems found" in sgdisk(path, "--verify")
    first = sgdisk(path, "--info=1")
    assert "EFI system partition" in first
    assert "First sector: 2048" in first
    assert "Partition size: 81920 sectors" in first
    assert "Attribute flags: 0000000000000004" in first
    assert "Partition name: 'root'" in sgdisk(path, "--info=2")


def test_the_backup_repairs_a_lost_table(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    write_pieces(path, SIZE_BYTES, table_pieces(PARTITIONS, disk="test", size_bytes=SIZE_BYTES))
    before = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(512)
        file.write(bytes(33 * 512))
    subprocess.run(
        ["/usr/sbin/gdisk", path],
        input=b"r\nb\nc\ny\nw\ny\n",
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert path.read_bytes()[512 : 34 * 512] == before[512 : 34 * 512]


def test_identifiers_follow_names() -> None:
    def table(disk: str) -> bytes:
        pieces = table_pieces(PARTITIONS, disk=disk, size_bytes=SIZE_BYTES)
        return b"".join(piece.content.read() for piece in pieces)

    assert table("one") == table("one")
    assert table("one") != table("two")


def test_boot_code_stands_before_the_table() -> None:
    code = b"\xfa" * 440
    head = table_pieces(PARTITIONS, disk="d", size_bytes=SIZE_BYTES, boot_code=code)[0].content
    assert head.slice(0, 440) == code
    assert head.slice(510, 2) == b"\x55\xaa"
