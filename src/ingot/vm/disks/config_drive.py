"""A CD with a guest's metadata, as cloud-init (NoCloud) and LinuxKit read it. Pure.

ISO 9660 in its least form (ECMA-119): one folder, two files, no extensions. Linux shows the names
in lower case and without their versions.
"""

from __future__ import annotations

import struct

from ingot.vm.machine import Machine

CONFIG_DRIVE = "config.iso"
"""The CD's file in a machine's folder."""

_SECTOR_BYTES = 2048
_VOLUME_SECTOR, _END_SECTOR = 16, 17
_LITTLE_TABLE_SECTOR, _BIG_TABLE_SECTOR = 18, 19
_FOLDER_SECTOR, _FIRST_FILE_SECTOR = 20, 21
_LABEL = "cidata"
_FOLDER_FLAG = 2
_DATE = bytes([80, 1, 1, 0, 0, 0, 0])  # 1980-01-01, so that equal data makes equal CDs
_NO_DATE = b"0" * 16 + b"\0"


def config_drive(machine: Machine, data: bytes) -> bytes:
    """Return the CD that tells a machine its name, its identity and `data`."""
    about = f"instance-id: {machine.uuid}\nlocal-hostname: {machine.name}\n"
    return iso9660({"META-DATA": about.encode(), "USER-DATA": data})


def iso9660(files: dict[str, bytes]) -> bytes:
    """Return a CD with files in its top folder; names in capitals, at most 30 characters."""
    folder = _record(b"\0", _FOLDER_SECTOR, _SECTOR_BYTES, _FOLDER_FLAG)
    folder += _record(b"\1", _FOLDER_SECTOR, _SECTOR_BYTES, _FOLDER_FLAG)
    sector = _FIRST_FILE_SECTOR
    contents = b""
    for name, data in sorted(files.items()):
        folder += _record(f"{name};1".encode(), sector, len(data), 0)
        padded = _padded(data)
        contents += padded
        sector += len(padded) // _SECTOR_BYTES
    assert len(folder) <= _SECTOR_BYTES
    # One entry each: the length of the name \0, the folder's place, and itself as its parent.
    little, big = (struct.pack(f"{order}BBLH", 1, 0, _FOLDER_SECTOR, 1) + b"\0\0" for order in "<>")
    sectors = (_volume(sector, len(little)), b"\xffCD001\1", little, big, folder)
    head = bytes(_VOLUME_SECTOR * _SECTOR_BYTES)
    return head + b"".join(map(_padded, sectors)) + contents


def _volume(sectors: int, table_bytes: int) -> bytes:
    root = _record(b"\0", _FOLDER_SECTOR, _SECTOR_BYTES, _FOLDER_FLAG)
    return b"".join(
        (
            b"\1CD001\1\0" + b" " * 32 + _LABEL.encode().ljust(32),
            bytes(8) + _both(sectors, 4) + bytes(32),
            _both(1, 2) + _both(1, 2) + _both(_SECTOR_BYTES, 2),
            _both(table_bytes, 4),
            struct.pack("<LL", _LITTLE_TABLE_SECTOR, 0) + struct.pack(">LL", _BIG_TABLE_SECTOR, 0),
            root,
            b" " * (4 * 128 + 3 * 37),
            _NO_DATE * 4 + b"\1",
        )
    )


def _record(name: bytes, sector: int, size_bytes: int, flags: int) -> bytes:
    record = _both(sector, 4) + _both(size_bytes, 4) + _DATE
    record += bytes([flags, 0, 0]) + _both(1, 2) + bytes([len(name)]) + name
    record += bytes(len(record) % 2)
    return bytes([len(record) + 2, 0]) + record


def _both(number: int, size_bytes: int) -> bytes:
    """Return a number in both byte orders, one after the other."""
    return number.to_bytes(size_bytes, "little") + number.to_bytes(size_bytes, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _SECTOR_BYTES)
