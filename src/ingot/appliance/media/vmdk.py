"""Writes VMDK disks of the kind `streamOptimized`, front to back, as VMware's and VirtualBox's do.

Source: VMware "Virtual Disk Format 5.0", "Stream-Optimized Compressed Sparse Extents". Grains are
in deflate's form but stored: kernel and root are compressed already, and so the bytes do not
depend on the building machine's zlib.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from ingot.appliance.media.gpt import derived_id
from ingot.appliance.media.pieces import SECTOR_BYTES
from ingot.base.units import KIB

_MAGIC = 0x564D444B
_VERSION = 3
# Line ends can be checked, grains are compressed, there are markers.
_FLAGS = 1 << 0 | 1 << 16 | 1 << 17
_DEFLATE = 1
_AT_END = 0xFFFF_FFFF_FFFF_FFFF
# Magic, version, flags, sectors, sectors of a grain, descriptor's place and size, entries of a
# table, tables' places (2), sectors before the first grain, closed, line ends, compression.
_HEADER = struct.Struct("<IIIQQQQIQQQB4sH433x")
_GRAIN_BYTES = 64 * KIB
_GRAIN_SECTORS = _GRAIN_BYTES // SECTOR_BYTES
_TABLE_ENTRIES = 512
_DESCRIPTOR_SECTORS = 20
_OVERHEAD_SECTORS = 128
_MARKER = struct.Struct("<QII496x")
_GRAIN_MARKER = struct.Struct("<QI")
_END, _TABLE, _DIRECTORY, _FOOTER = range(4)

_HEADS, _TRACK_SECTORS = 255, 63
_DESCRIPTOR = """\
# Disk DescriptorFile
version=1
CID={content_id:08x}
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY {sectors} SPARSE "{name}"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "{heads}"
ddb.geometry.sectors = "{track_sectors}"
ddb.virtualHWVersion = "10"
"""
_STORED_BYTES_MAX = 0xFFFF


def disk_number(name: str) -> int:
    """Return the number by which hypervisors tell states of the disk of that name apart."""
    return derived_id(name, "vmdk").int & 0xFFFF_FFFF


def write_vmdk(raw: Path, target: Path, content_id: int) -> None:
    """Write a raw disk as a VMDK; what is zero is left out.

    Args:
        raw: the disk, whole sectors.
        target: a path that does not exist; its name stands in the file.
        content_id: see `disk_number`.
    """
    size_bytes = raw.stat().st_size
    assert size_bytes % SECTOR_BYTES == 0
    sectors = size_bytes // SECTOR_BYTES
    descriptor = _DESCRIPTOR.format(
        content_id=content_id,
        sectors=sectors,
        name=target.name,
        cylinders=max(1, sectors // (_HEADS * _TRACK_SECTORS)),
        heads=_HEADS,
        track_sectors=_TRACK_SECTORS,
    ).encode()
    assert len(descriptor) <= _DESCRIPTOR_SECTORS * SECTOR_BYTES
    # Without a buffer, which would not notice that a search for data moves the place.
    with raw.open("rb", buffering=0) as disk, target.open("xb") as file:
        file.write(_header(sectors, _AT_END) + descriptor)
        file.write(bytes(_OVERHEAD_SECTORS * SECTOR_BYTES - file.tell()))
        tables = _write_grains(disk, file, sectors)
        file.write(_MARKER.pack(_sectors(4 * len(tables)), 0, _DIRECTORY))
        directory = file.tell() // SECTOR_BYTES
        _write_padded(file, struct.pack(f"<{len(tables)}I", *tables))
        file.write(_MARKER.pack(1, 0, _FOOTER))
        file.write(_header(sectors, directory))
        file.write(_MARKER.pack(0, 0, _END))


def _header(sectors: int, directory: int) -> bytes:
    return _HEADER.pack(
        *(_MAGIC, _VERSION, _FLAGS, sectors, _GRAIN_SECTORS, 1, _DESCRIPTOR_SECTORS),
        *(_TABLE_ENTRIES, 0, directory, _OVERHEAD_SECTORS, 0, b"\n \r\n", _DEFLATE),
    )


def _write_grains(disk: FileIO, file: BinaryIO, sectors: int) -> list[int]:
    """Write all grains, and after each table's its table; return the sectors of the tables."""
    zero = bytes(_GRAIN_BYTES)
    tables: list[int] = []
    for table_start in range(0, sectors, _TABLE_ENTRIES * _GRAIN_SECTORS):
        if not _has_data(disk, table_start * SECTOR_BYTES):
            tables.append(0)
            continue
        grains = [0] * _TABLE_ENTRIES
        for index in range(_TABLE_ENTRIES):
            grain = disk.read(_GRAIN_BYTES)
            if not grain:
                break
            if grain != zero[: len(grain)]:
                grains[index] = file.tell() // SECTOR_BYTES
                packed = stored(grain.ljust(_GRAIN_BYTES, b"\0"))
                start = table_start + index * _GRAIN_SECTORS
                _write_padded(file, _GRAIN_MARKER.pack(start, len(packed)) + packed)
        if any(grains):
            file.write(_MARKER.pack(_sectors(4 * _TABLE_ENTRIES), 0, _TABLE))
            tables.append(file.tell() // SECTOR_BYTES)
            _write_padded(file, struct.pack(f"<{_TABLE_ENTRIES}I", *grains))
        else:
            tables.append(0)
    return tables


def _has_data(disk: FileIO, start: int) -> bool:
    """Go to `start`; tell whether anything was ever written in what a table from there covers."""
    try:
        found = os.lseek(disk.fileno(), start, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return False
    disk.seek(start)
    return found < start + _TABLE_ENTRIES * _GRAIN_BYTES


def stored(data: bytes) -> bytes:
    """Return bytes in zlib's format (RFC 1950, 1951) without compressing them."""
    parts = [b"\x78\x01"]
    for start in range(0, len(data), _STORED_BYTES_MAX):
        part = data[start : start + _STORED_BYTES_MAX]
        is_last = start + len(part) == len(data)
        parts += (struct.pack("<BHH", is_last, len(part), len(part) ^ 0xFFFF), part)
    return b"".join([*parts, struct.pack(">I", zlib.adler32(data))])


def _write_padded(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.write(bytes(-len(data) % SECTOR_BYTES))


def _sectors(size_bytes: int) -> int:
    return -(-size_bytes // SECTOR_BYTES)
