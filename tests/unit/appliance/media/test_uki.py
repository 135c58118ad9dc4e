"""Unified kernel images, read back by objdump and objcopy."""

import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.pieces import write_pieces
from ingot.appliance.media.uki import Uki, make_uki
from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content
from ingot.testing.loaders import make_stub

PARTS = {
    ".osrel": b"ID=test\n",
    ".cmdline": b"console=ttyS0 quiet\0",
    ".initrd": b"ramdisk" * 1000,
    ".linux": b"kernel" * 2000,
}


def uki(program: bytes) -> Uki:
    return make_uki(
        program,
        kernel=Content.of(PARTS[".linux"]),
        initrd=Content.of(PARTS[".initrd"]),
        command_line="console=ttyS0 quiet\n",
        os_release="ID=test\n",
    )


def test_binutils_find_every_part(tmp_path: Path) -> None:
    made = uki(make_stub())
    image = tmp_path / "image.efi"
    write_pieces(image, made.size_bytes, made.pieces)
    for name, data in PARTS.items():
        part = tmp_path / "part"
        subprocess.run(
            ["objcopy", "-O", "binary", f"--dump-section={name}={part}", image, "/dev/null"],
            check=True,
            capture_output=True,
        )
        assert part.read_bytes() == data
        start = made.parts[name].offset
        assert start % 4096 == 0
        assert image.read_bytes()[start : start + len(data)] == data


def test_sections_do_not_overlap_in_memory(tmp_path: Path) -> None:
    made = uki(make_stub())
    image = tmp_path / "image.efi"
    write_pieces(image, made.size_bytes, made.pieces)
    shown = subprocess.run(["objdump", "-hp", image], capture_output=True, text=True, check=True)
    rows = [line.split() for line in shown.stdout.splitlines()]
    sections = [(int(row[3], 16), int(row[2], 16)) for row in rows if row[1:2] and row[0].isdigit()]
    assert len(sections) == 1 + len(PARTS)
    ends = [address + size for address, size in sections]
    assert all(end <= after for end, (after, _) in zip(ends, sections[1:], strict=False))
    size_of_image = next(int(row[1], 16) for row in rows if row[:1] == ["SizeOfImage"])
    assert ends[-1] <= size_of_image
    checksum = next(int(row[1], 16) for row in rows if row[:1] == ["CheckSum"])
    assert checksum == 0


@pytest.mark.parametrize("program", [b"", b"MZ", b"\x7fELF" * 100, make_stub(headers_bytes=512)])
def test_a_stub_that_cannot_carry_them_is_refused(program: bytes) -> None:
    with pytest.raises(IntegrityError, match="stub"):
        uki(program)
