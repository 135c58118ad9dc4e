"""Writes GUID partition tables with a protective MBR: headers and entries, at both ends of a disk.

Source: UEFI Specification 2.10, chapter 5. Identifiers are derived from names, so equal disks have
equal bytes.
"""

from __future__ import annotations

import struct
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ingot.appliance.media.pieces import SECTOR_BYTES, Piece
from ingot.oci.tree import Content

FIRST_OFFSET = 1 << 20
"""Where the first partition begins, in bytes: what partitioning tools have agreed on."""
TABLE_SECTORS = 33
"""Sectors of one copy of the table: 128 entries and a header."""
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
BASIC_DATA = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
LEGACY_BIOS_BOOTABLE = 1 << 2
"""Attribute of the partition whose boot sector a BIOS boot loader starts."""

_NAMESPACE = uuid.UUID("5ba8cb8b-8f0c-4c3b-9d9b-3c6f1e0a6b0d")
_ENTRIES = 128
_ENTRY = struct.Struct("<16s16sQQQ72s")
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_HEADER_BYTES = 92
_REVISION = 0x10000
_MBR_CODE_BYTES = 440
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_MBR_PROTECTIVE = 0xEE
_SECTORS_MAX = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition; `offset` and `size_bytes` are whole sectors, `name` at most 36 letters."""

    type: uuid.UUID
    name: str
    offset: int
    size_bytes: int
    attributes: int = 0


def derived_id(*names: str) -> uuid.UUID:
    """Return the identifier that stands for these names."""
    return uuid.uuid5(_NAMESPACE, "/".join(names))


def table_pieces(
    partitions: Sequence[Partition], *, disk: str, size_bytes: int, boot_code: bytes = b""
) -> list[Piece]:
    """Return the partition table of a disk, which takes its first 34 and last 33 sectors.

    Args:
        partitions: in ascending order, apart from each other and from the table.
        disk: what the identifiers are derived from.
        size_bytes: of the whole disk.
        boot_code: what a BIOS starts, at most 440 bytes.
    """
    sectors = size_bytes // SECTOR_BYTES
    assert len(partitions) <= _ENTRIES
    assert len(boot_code) <= _MBR_CODE_BYTES
    entries = b"".join(_entry(partition, disk) for partition in partitions)
    entries += bytes(_ENTRIES * _ENTRY.size - len(entries))
    last = sectors - 1
    head = _mbr(boot_code, sectors) + _header(entries, disk, here=1, other=last, entries_at=2)
    tail_at = sectors - TABLE_SECTORS
    tail = _header(entries, disk, here=last, other=1, entries_at=tail_at)
    return [
        Piece(0, Content.of(head + entries)),
        Piece(tail_at * SECTOR_BYTES, Content.of(entries + tail)),
    ]


def used_extents(head: bytes, size_bytes: int) -> list[tuple[int, int]]:
    """Return offset and size of what of a disk is not free: up to the last partition, the tail.

    Args:
        head: the disk's first 34 sectors.
        size_bytes: of the whole disk.
    """
    rows = _ENTRY.iter_unpack(head[2 * SECTOR_BYTES : (TABLE_SECTORS + 1) * SECTOR_BYTES])
    end = max(last + 1 for *_, last, _, _ in rows) * SECTOR_BYTES
    tail_bytes = TABLE_SECTORS * SECTOR_BYTES
    return [(0, end), (size_bytes - tail_bytes, tail_bytes)]


def _entry(partition: Partition, disk: str) -> bytes:
    first, size = partition.offset // SECTOR_BYTES, partition.size_bytes // SECTOR_BYTES
    return _ENTRY.pack(
        partition.type.bytes_le,
        derived_id(disk, partition.name).bytes_le,
        first,
        first + size - 1,
        partition.attributes,
        partition.name.encode("utf-16-le"),
    )


def _header(entries: bytes, disk: str, *, here: int, other: int, entries_at: int) -> bytes:
    end = max(here, other)

    def pack(checksum: int) -> bytes:
        return _HEADER.pack(
            b"EFI PART",
            _REVISION,
            _HEADER_BYTES,
            checksum,
            0,
            here,
            other,
            TABLE_SECTORS + 1,
            end - TABLE_SECTORS,
            derived_id(disk).bytes_le,
            entries_at,
            _ENTRIES,
            _ENTRY.size,
            zlib.crc32(entries),
        )

    return pack(zlib.crc32(pack(0))).ljust(SECTOR_BYTES, b"\0")


def _mbr(boot_code: bytes, sectors: int) -> bytes:
    whole = _MBR_ENTRY.pack(
        0, b"\x00\x02\x00", _MBR_PROTECTIVE, b"\xff\xff\xff", 1, min(sectors - 1, _SECTORS_MAX)
    )
    return boot_code.ljust(446, b"\0") + whole.ljust(64, b"\0") + b"\x55\xaa"
