"""Puts kernel, RAM disk and command line into one UEFI program: a unified kernel image.

The program is systemd's stub, which finds the parts as sections of its own PE file and starts the
kernel with them. Source: UAPI specification "Unified Kernel Image"; Microsoft's "PE Format".
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from ingot.appliance.media.pieces import ALIGNMENT_BYTES, Piece, align
from ingot.base.errors import IntegrityError
from ingot.oci.tree import Content

STUBS = {
    "amd64": "usr/lib/systemd/boot/efi/linuxx64.efi.stub",
    "arm64": "usr/lib/systemd/boot/efi/linuxaa64.efi.stub",
}
"""Where Debian's systemd-boot-efi keeps the stub, by Debian's name of the architecture."""
BOOT_FILES = {"amd64": "EFI/BOOT/BOOTX64.EFI", "arm64": "EFI/BOOT/BOOTAA64.EFI"}
"""What firmware starts from a medium it has never seen."""

_PE_POINTER = 0x3C
_OPTIONAL_HEADER = 24
_SIZE_OF_IMAGE = 56
_SIZE_OF_HEADERS = 60
_CHECKSUM = 64
_SECTION = struct.Struct("<8sIIIIIIHHI")
# Initialized data that may be read.
_READABLE_DATA = 0x4000_0040


@dataclass(frozen=True, slots=True)
class Uki:
    """A unified kernel image.

    Attributes:
        parts: the content that was put in and where it lies, by the section's name.
    """

    size_bytes: int
    program: Piece
    parts: Mapping[str, Piece]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """The whole file."""
        return self.program, *self.parts.values()


def make_uki(
    stub: bytes, *, kernel: Content, initrd: Content, command_line: str, os_release: str
) -> Uki:
    """Lay out a unified kernel image; equal parts give equal bytes.

    Args:
        stub: the PE file of systemd's stub for the kernel's architecture.
        kernel: a kernel that is an UEFI program itself, as Debian's are.
        initrd: its initial RAM disk.
        command_line: what the kernel is told, whatever the firmware says.
        os_release: text as in os-release(5), by which boot menus call it.

    Raises:
        IntegrityError: the stub is no PE file, or has no room for more sections.
    """
    parts = {
        ".osrel": Content.of(os_release),
        ".cmdline": Content.of(command_line.strip() + "\0"),
        ".initrd": initrd,
        ".linux": kernel,
    }
    header = bytearray(stub)
    pe, table, count = _find_sections(stub)
    optional = pe + _OPTIONAL_HEADER
    (headers_bytes,) = struct.unpack_from("<I", stub, optional + _SIZE_OF_HEADERS)
    if table + (count + len(parts)) * _SECTION.size > headers_bytes:
        raise IntegrityError("the UEFI stub has no room for the sections of a kernel image")
    (address,) = struct.unpack_from("<I", stub, optional + _SIZE_OF_IMAGE)
    offset = len(stub)
    pieces: dict[str, Piece] = {}
    for index, (name, content) in enumerate(parts.items(), start=count):
        address, offset = align(address), align(offset)
        size_bytes = content.size_bytes
        row = (name.encode(), size_bytes, address, align(size_bytes), offset, 0, 0, 0, 0)
        _SECTION.pack_into(header, table + index * _SECTION.size, *row, _READABLE_DATA)
        pieces[name] = Piece(offset, content)
        address += size_bytes
        offset += align(size_bytes)
    struct.pack_into("<H", header, pe + 6, count + len(parts))
    struct.pack_into("<I", header, optional + _SIZE_OF_IMAGE, align(address))
    struct.pack_into("<I", header, optional + _CHECKSUM, 0)
    assert offset % ALIGNMENT_BYTES == 0
    return Uki(offset, Piece(0, Content.of(bytes(header))), pieces)


def _find_sections(stub: bytes) -> tuple[int, int, int]:
    """Return the offsets of the PE header and of the section table, and the number of sections."""
    if stub[:2] == b"MZ" and len(stub) > _PE_POINTER + 4:
        (pe,) = struct.unpack_from("<I", stub, _PE_POINTER)
        if stub[pe : pe + 4] == b"PE\0\0":
            count, optional_bytes = struct.unpack_from("<H12xH", stub, pe + 6)
            return pe, pe + _OPTIONAL_HEADER + optional_bytes, count
    raise IntegrityError("the UEFI stub is no PE file", hint="is the package damaged?")
