"""Unified kernel images, read back by objdump and objcopy."""

import struct
import subprocess
from pathlib import Path

import pytest

from ingot.appliance.media.pieces import write_pieces
from ingot.appliance.media.uki import Uki, make_uki
from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content

PARTS = {
    ".osrel": b"ID=test\n",
    ".cmdline": b"console=ttyS0 quiet\0",
    ".initrd": b"ramdisk" * 1000,
    ".linux": b"kernel" * 2000,
}


def stub(*, headers_bytes: int = 1024) -> bytes:
    """A PE32+ program with one section of code, as small as objdump accepts."""
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, 1, 0, 0, 0, 240, 0x22E)
    optional = struct.pack("<HBBIIIII", 0x20B, 2, 40, 512, 0, 0, 0x1000, 0x1000)
    optional += struct.pack("<QII", 0, 0x1000, 512) + struct.pack("<HHHHHHI", *([0] * 7))
    optional += struct.pack("<IIIHHQQQQII", 0x2000, headers_bytes, 77, 10, 0, *([0] * 5), 16)
    section = struct.pack(
        "<8sIIIIIIHHI", b".text", 512, 0x1000, 512, headers_bytes, 0, 0, 0, 0, 0x60000020
    )
    header = dos + coff + optional.ljust(240, b"\0") + section
    return header.ljust(headers_bytes, b"\0") + b"\xc3" * 512


def uki(program: bytes) -> Uki:
    return make_uki(
        program,
        kernel=Content.of(PARTS[".linux"]),
        initrd=Content.of(PARTS[".initrd"]),
        command_line="console=ttyS0 quiet\n",
        os_release="ID=test\n",
    )


def test_binutils_find_every_part(tmp_path: Path) -> None:
    made = uki(stub())
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
        start = made.offsets[name]
        assert start % 4096 == 0
        assert image.read_bytes()[start : start + len(data)] == data


def test_sections_do_not_overlap_in_memory(tmp_path: Path) -> None:
    made = uki(stub())
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


@pytest.mark.parametrize("program", [b"", b"MZ", b"\x7fELF" * 100, stub(headers_bytes=512)])
def test_a_stub_that_cannot_carry_them_is_refused(program: bytes) -> None:
    with pytest.raises(IntegrityError, match="stub"):
        uki(program)
