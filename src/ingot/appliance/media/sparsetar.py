"""Writes a tar archive of one sparse file in GNU's old format: holes take no room and no time.

Source: GNU tar manual, "Storing Sparse Files" and "Basic Tar Format".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from ingot.oci.tree import Content

EXTENTS_MAX = 4
_BLOCK_BYTES = 512
_RECORD_BYTES = 20 * _BLOCK_BYTES
# Name, mode, owner, group, size, time, checksum, type, link, magic, owner's and group's names,
# device; two times, offset, long names, extents, more extents follow, real size.
_HEADER = struct.Struct("<100s8s8s8s12s12s8sc100s8s32s32s16s12s12s12s4sx96s1s12s17x")
_CHECKSUM_OFFSET = 148
_MODE = 0o644


def write_sparse_tar(
    name: str, source: Path, extents: Sequence[tuple[int, int]], sink: BinaryIO
) -> None:
    """Write an archive whose only member is a sparse file; its time stamp is zero.

    Args:
        name: the member's, at most 99 bytes.
        source: the file.
        extents: offset and size of at most four parts of it, whole blocks of 512 bytes and in
            order; the rest is zero.
        sink: takes the archive; it is only written to.
    """
    size_bytes = source.stat().st_size
    stored_bytes = sum(size for _, size in extents)
    assert len(extents) <= EXTENTS_MAX
    assert stored_bytes % _BLOCK_BYTES == 0
    sink.write(_header(name, size_bytes, stored_bytes, extents))
    for offset, size in extents:
        sink.writelines(Content(size, path=str(source), offset=offset).chunks())
    written = _BLOCK_BYTES + stored_bytes
    end = 2 * _BLOCK_BYTES
    sink.write(bytes(end + -(written + end) % _RECORD_BYTES))


def _header(
    name: str, size_bytes: int, stored_bytes: int, extents: Sequence[tuple[int, int]]
) -> bytes:
    table = b"".join(_octal(offset, 11) + _octal(size, 11) for offset, size in extents)
    header = bytearray(
        _HEADER.pack(
            *(name.encode(), _octal(_MODE, 7), _octal(0, 7), _octal(0, 7)),
            *(_octal(stored_bytes, 11), _octal(0, 11), b" " * 8, b"S", b"", b"ustar  \0"),
            *(b"root", b"root", b"", b"", b"", b"", b"", table, b"\0"),
            _octal(size_bytes, 11),
        )
    )
    checksum = b"%06o\0 " % sum(header)
    header[_CHECKSUM_OFFSET : _CHECKSUM_OFFSET + len(checksum)] = checksum
    return bytes(header)


def _octal(value: int, digits: int) -> bytes:
    """Return a number as octal digits, or as GNU tar writes those that have too many."""
    if value < 8**digits:
        return b"%0*o\0" % (digits, value)
    return b"\x80" + value.to_bytes(digits, "big")
