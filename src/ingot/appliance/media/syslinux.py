"""Installs syslinux on a FAT file system without running its installer: the disk's BIOS loader.

The loader is a boot sector and the file ldlinux.sys, which holds the list of its own sectors.
Debian ships both only inside the installer program, one after the other. Layout of the fields
that an installer fills in: syslinux 6, doc/distrib and core/diskstart.inc.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ingot.appliance.media.pieces import SECTOR_BYTES
from ingot.base.errors import IntegrityError

INSTALLER = "usr/bin/syslinux"
LOADER_FILE = "ldlinux.sys"

_BOOT_SECTOR = b"\xeb\x58\x90SYSLINUX"
_LOADER = b"\r\nSYSLINUX "
_NEXT_FILE = b"\x7fELF\x01"
_LOADER_BYTES_MIN, _LOADER_BYTES_MAX = 16 << 10, 256 << 10
_MAGIC = 0x3EB2_02FE
# Data and variable sectors, words, checksum, longest transfer, offset of the extended fields.
_PATCH_AREA = struct.Struct("<HHIIHH")
_EXTENDED = struct.Struct("<10H")
_EXTENT = struct.Struct("<QH")
# The program counts a read's bytes in 16 bits.
_READ_SECTORS_MAX = 127
# The variables that a running syslinux may keep: two equal sectors after the program.
_VARIABLE_SECTORS = 2
_VARIABLES_HEAD, _VARIABLES_SUM, _VARIABLES_TAIL = 0x5A2D_2FA5, 0xA304_1767, 0xDD28_BF64


@dataclass(frozen=True, slots=True)
class Loader:
    """The loader as it comes: nothing filled in."""

    boot_sector: bytes
    program: bytes

    @property
    def file_bytes(self) -> int:
        """The size of ldlinux.sys on the disk."""
        return (_sectors(self.program) + _VARIABLE_SECTORS) * SECTOR_BYTES


def find_loader(installer: bytes) -> Loader:
    """Return the loader inside the program `syslinux`.

    Raises:
        IntegrityError: it is not where it is in every version 6.
    """
    start = installer.find(_BOOT_SECTOR)
    program_at = start + SECTOR_BYTES
    end = installer.find(_NEXT_FILE, program_at)
    size_bytes = end - program_at
    if (
        start < 0
        or not installer.startswith(_LOADER, program_at)
        or not _LOADER_BYTES_MIN <= size_bytes <= _LOADER_BYTES_MAX
    ):
        raise IntegrityError(
            f"/{INSTALLER} holds no boot loader that we know",
            hint="syslinux 6 is needed; another --suite may have it",
        )
    return Loader(installer[start:program_at], installer[program_at:end])


def install(loader: Loader, first_sector: int) -> tuple[bytes, bytes]:
    """Return the boot sector and ldlinux.sys for a file that is contiguous.

    Args:
        loader: the loader.
        first_sector: of ldlinux.sys, counted from the file system's beginning.

    Raises:
        IntegrityError: the loader has not the fields to fill in.
    """
    boot, program = bytearray(loader.boot_sector), bytearray(loader.program)
    count = _sectors(loader.program)
    area = loader.program.find(struct.pack("<I", _MAGIC))
    if area < 0:
        raise IntegrityError("syslinux has no list of sectors to fill in")
    # The magic number is followed by one of the version.
    area += 8
    *_, transfer, extended = _PATCH_AREA.unpack_from(program, area)
    fields = _EXTENDED.unpack_from(program, extended)
    variables_at, extents_at, extents_max, low_at, high_at = fields[0], *fields[5:9]
    struct.pack_into("<I", boot, low_at, first_sector & 0xFFFF_FFFF)
    struct.pack_into("<I", boot, high_at, first_sector >> 32)
    extents = _extents(first_sector + 1, count - 1)
    if len(extents) >= extents_max:
        raise IntegrityError("syslinux has no room for the list of its sectors")
    for index, extent in enumerate(extents):
        _EXTENT.pack_into(program, extents_at + index * _EXTENT.size, *extent)
    after = first_sector + count
    struct.pack_into("<QQ", program, variables_at, after, after + 1)
    words = len(program) // 4
    totals = (count, _VARIABLE_SECTORS, words)
    _PATCH_AREA.pack_into(program, area, *totals, 0, transfer, extended)
    checksum = (_MAGIC - sum(struct.unpack_from(f"<{words}I", program))) & 0xFFFF_FFFF
    _PATCH_AREA.pack_into(program, area, *totals, checksum, transfer, extended)
    return bytes(boot), bytes(program).ljust(count * SECTOR_BYTES, b"\0") + _variables()


def _sectors(program: bytes) -> int:
    return -(-len(program) // SECTOR_BYTES)


def _extents(sector: int, count: int) -> list[tuple[int, int]]:
    """Cut a run of sectors into reads of a length that the program can count."""
    end = sector + count
    return [
        (first, min(_READ_SECTORS_MAX, end - first))
        for first in range(sector, end, _READ_SECTORS_MAX)
    ]


def _variables() -> bytes:
    """Return both sectors of variables, empty."""
    body = struct.pack("<II", _VARIABLES_HEAD, _VARIABLES_SUM).ljust(SECTOR_BYTES - 4, b"\0")
    return (body + struct.pack("<I", _VARIABLES_TAIL)) * _VARIABLE_SECTORS
