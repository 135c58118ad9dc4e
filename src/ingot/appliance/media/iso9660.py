"""Writes ISO 9660 images that boot: as a CD and, copied to a disk as they are, from there.

The image says only where its files lie; the caller puts them there, so that several names may
share bytes. All files are in the root folder.
Sources: ECMA-119; El Torito 1.0; UEFI Specification 2.10, section 13.3.2.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ingot.appliance.media.pieces import SECTOR_BYTES, Piece
from ingot.oci.tree import Content

BLOCK_BYTES = 2048
FIRST_OFFSET = 24 * BLOCK_BYTES
"""Where files may begin: after the descriptors, at a multiple of 4 KiB."""

_VOLUME, _BOOT_RECORD, _END, _CATALOG, _PATHS_LITTLE, _PATHS_BIG, _ROOT = range(16, 23)
_IDENTIFIER = b"CD001\x01"
_DATE = bytes((80, 1, 1, 0, 0, 0, 0))
_DATE_TEXT = b"1980010100000000\0"
_NO_DATE_TEXT = b"0" * 16 + b"\0"
_DIRECTORY = 2
_PLATFORMS = {"bios": 0x00, "uefi": 0xEF}
_BOOTABLE = 0x88
_LAST_SECTION = 0x91
_HYBRID_CODE_BYTES = 432
_MBR_ENTRY = struct.Struct("<BBBBBBBBII")
# The types that isohybrid and UEFI have agreed on: the whole image, and a system partition.
_MBR_WHOLE, _MBR_EFI_SYSTEM = 0x17, 0xEF
_INFORMATION_OFFSET, _INFORMATION_END = 8, 64


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a file lies: `offset` is a multiple of a block."""

    offset: int
    size_bytes: int

    @property
    def block(self) -> int:
        """The number of its first block."""
        assert self.offset % BLOCK_BYTES == 0
        return self.offset // BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class BootEntry:
    """What firmware starts.

    Attributes:
        sectors: of 512 bytes that a BIOS loads; UEFI takes 1 as "to the end of the medium".
    """

    platform: Literal["bios", "uefi"]
    extent: Extent
    sectors: int


def iso_pieces(
    files: Mapping[str, Extent],
    boots: Sequence[BootEntry],
    *,
    volume: str,
    size_bytes: int,
    boot_sector: bytes = b"",
) -> list[Piece]:
    """Return what stands before the first file.

    Args:
        files: by name: capitals, eight and three. They begin at `FIRST_OFFSET` or later.
        boots: at least one; the first is the one that old firmware takes.
        volume: the volume's name, capitals, at most 32.
        size_bytes: of the whole image, a multiple of a block.
        boot_sector: for a disk's first sector; see `hybrid_boot_sector`.
    """
    root = Extent(_ROOT * BLOCK_BYTES, BLOCK_BYTES)
    records = _record(b"\0", root, _DIRECTORY) + _record(b"\1", root, _DIRECTORY)
    for name in sorted(files):
        records += _record(f"{name};1".encode(), files[name])
    assert len(records) <= BLOCK_BYTES
    blocks = {
        _VOLUME: _volume_descriptor(volume, size_bytes, root),
        _BOOT_RECORD: b"\0"
        + _IDENTIFIER
        + b"EL TORITO SPECIFICATION".ljust(64, b"\0")
        + struct.pack("<I", _CATALOG),
        _END: b"\xff" + _IDENTIFIER,
        _CATALOG: _catalog(boots),
        _PATHS_LITTLE: struct.pack("<BBIHBB", 1, 0, _ROOT, 1, 0, 0),
        _PATHS_BIG: struct.pack(">BBIHBB", 1, 0, _ROOT, 1, 0, 0),
        _ROOT: records,
    }
    body = b"".join(data.ljust(BLOCK_BYTES, b"\0") for _, data in sorted(blocks.items()))
    return [
        Piece(0, Content.of(boot_sector)),
        Piece(_VOLUME * BLOCK_BYTES, Content.of(body)),
    ]


def boot_information(loader: bytes, offset: int) -> bytes:
    """Return isolinux with the table that tells it where it lies.

    Args:
        loader: isolinux.bin.
        offset: where it lies in the image.
    """
    padded = loader.ljust(-(-len(loader) // 4) * 4, b"\0")
    words = struct.unpack(f"<{(len(padded) - _INFORMATION_END) // 4}I", padded[_INFORMATION_END:])
    table = struct.pack(
        "<IIII", _VOLUME, offset // BLOCK_BYTES, len(loader), sum(words) & 0xFFFF_FFFF
    )
    head = loader[:_INFORMATION_OFFSET] + table
    return head.ljust(_INFORMATION_END, b"\0") + loader[_INFORMATION_END:]


def hybrid_boot_sector(
    code: bytes, loader: Extent, *, size_bytes: int, serial: int, efi: Extent
) -> bytes:
    """Return the first sector for an image that is copied to a disk.

    Args:
        code: isolinux's for that purpose, at most 432 bytes.
        loader: isolinux in the image.
        size_bytes: of the whole image.
        serial: the disk's 32-bit number.
        efi: the UEFI system partition's file system in the image.
    """
    assert len(code) <= _HYBRID_CODE_BYTES
    head = code.ljust(_HYBRID_CODE_BYTES, b"\0")
    head += struct.pack("<QIH", loader.offset // SECTOR_BYTES, serial, 0)
    rows = [
        (0x80, 0, 1, 0, _MBR_WHOLE, 0xFE, 0xFF, 0xFF, 0, size_bytes // SECTOR_BYTES),
        (
            *(0, 0xFE, 0xFF, 0xFF, _MBR_EFI_SYSTEM, 0xFE, 0xFF, 0xFF),
            *(efi.offset // SECTOR_BYTES, efi.size_bytes // SECTOR_BYTES),
        ),
    ]
    table = b"".join(_MBR_ENTRY.pack(*row) for row in rows)
    return (head + table).ljust(SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def _volume_descriptor(name: str, size_bytes: int, root: Extent) -> bytes:
    path_table_bytes = 10
    return b"".join(
        (
            *(b"\1", _IDENTIFIER, b"\0", b" " * 32, name.encode().ljust(32)),
            *(bytes(8), _both(size_bytes // BLOCK_BYTES), bytes(32)),
            *(_both_short(1), _both_short(1), _both_short(BLOCK_BYTES), _both(path_table_bytes)),
            struct.pack("<II", _PATHS_LITTLE, 0),
            struct.pack(">II", _PATHS_BIG, 0),
            _record(b"\0", root, _DIRECTORY),
            b" " * (4 * 128 + 3 * 37),
            *(_DATE_TEXT, _DATE_TEXT, _NO_DATE_TEXT, _NO_DATE_TEXT),
            b"\1",
        )
    )


def _record(name: bytes, extent: Extent, flags: int = 0) -> bytes:
    length = 33 + len(name) + (len(name) + 1) % 2
    head = struct.pack("BB", length, 0) + _both(extent.block) + _both(extent.size_bytes)
    head += _DATE + struct.pack("BBB", flags, 0, 0) + _both_short(1) + bytes([len(name)])
    return (head + name).ljust(length, b"\0")


def _catalog(boots: Sequence[BootEntry]) -> bytes:
    first, *others = boots
    head = struct.pack("<BBH24s", 1, _PLATFORMS[first.platform], 0, b"")
    total = sum(struct.unpack("<14H", head)) + 0xAA55
    catalog = head + struct.pack("<HH", -total & 0xFFFF, 0xAA55) + _boot_row(first)
    for other in others:
        kind = _LAST_SECTION if other is others[-1] else _LAST_SECTION - 1
        catalog += struct.pack("<BBH28s", kind, _PLATFORMS[other.platform], 1, b"")
        catalog += _boot_row(other)
    return catalog


def _boot_row(boot: BootEntry) -> bytes:
    row = struct.pack("<BBHBBHI", _BOOTABLE, 0, 0, 0, 0, boot.sectors, boot.extent.block)
    return row.ljust(32, b"\0")


def _both(value: int) -> bytes:
    return struct.pack("<I", value) + struct.pack(">I", value)


def _both_short(value: int) -> bytes:
    return struct.pack("<H", value) + struct.pack(">H", value)
