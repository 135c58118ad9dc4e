"""Directory entries of FAT: short names, long names and how they belong together. Pure.

Source: Microsoft's "FAT: General Overview of On-Disk Format", 1.03.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

ATTRIBUTE_LABEL = 0x08
ATTRIBUTE_DIRECTORY = 0x10
ATTRIBUTE_FILE = 0x20
ENTRY_BYTES = 32

_ATTRIBUTE_LONG = 0x0F
_LAST_LONG = 0x40
_LONG_UNITS = 13
# Name, attributes, case, creation's hundredths, time and date, access date, cluster's high half,
# change time and date, cluster's low half, size.
_SHORT = struct.Struct("<11sBBBHHHHHHHI")
_LONG = struct.Struct("<B10sBBB12sH4s")
# 1 January 1980: the earliest date there is.
_DATE = 1 << 5 | 1
_SHORT_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def short_names(names: Iterable[str]) -> dict[str, bytes]:
    """Return for every name of a directory an 11-byte name of capitals, all different."""
    taken: dict[bytes, str] = {}
    for name in sorted(names):
        stem, _, extension = name.upper().rpartition(".")
        stem, extension = (stem, extension) if stem else (extension, "")
        stem, extension = _letters(stem), _letters(extension)[:3]
        number = 0
        short = _padded(stem[:8], extension)
        while short in taken or (number == 0 and len(stem) > 8):
            number += 1
            tail = f"~{number}"
            short = _padded(stem[: 8 - len(tail)] + tail, extension)
        taken[short] = name
    return {name: short for short, name in taken.items()}


def entries(name: str, short: bytes, attributes: int, cluster: int, size_bytes: int) -> bytes:
    """Return a name's directory entries: the long name where it differs, then the short one."""
    last = short_entry(short, attributes, cluster, size_bytes)
    stem, extension = short[:8].decode().rstrip(), short[8:].decode().rstrip()
    if name == (f"{stem}.{extension}" if extension else stem):
        return last
    return _long_entries(name, short) + last


def short_entry(short: bytes, attributes: int, cluster: int, size_bytes: int) -> bytes:
    """Return the one entry that every name has."""
    high, low = cluster >> 16, cluster & 0xFFFF
    return _SHORT.pack(short, attributes, 0, 0, 0, _DATE, _DATE, high, 0, _DATE, low, size_bytes)


def _letters(text: str) -> str:
    return "".join(letter if letter in _SHORT_LETTERS else "_" for letter in text)


def _padded(stem: str, extension: str) -> bytes:
    return (stem.ljust(8) + extension.ljust(3)).encode()


def _long_entries(name: str, short: bytes) -> bytes:
    units = name.encode("utf-16-le")
    count = -(-len(units) // (2 * _LONG_UNITS))
    if len(units) % (2 * _LONG_UNITS):
        units = (units + b"\0\0").ljust(count * 2 * _LONG_UNITS, b"\xff")
    checksum = 0
    for byte in short:
        checksum = (((checksum & 1) << 7) + (checksum >> 1) + byte) & 0xFF
    found = b""
    for index in reversed(range(count)):
        part = units[index * 2 * _LONG_UNITS : (index + 1) * 2 * _LONG_UNITS]
        order = index + 1 | (_LAST_LONG if index == count - 1 else 0)
        found += _LONG.pack(
            order, part[:10], _ATTRIBUTE_LONG, 0, checksum, part[10:22], 0, part[22:]
        )
    return found
