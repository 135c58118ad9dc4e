"""Writes the archive format that the kernel unpacks into its first file system ("newc" cpio).

Source: Documentation/driver-api/early-userspace/buffer-format.rst of the Linux kernel.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import BinaryIO

from ingot.base.errors import Error
from ingot.oci.tree import Entry, Kind

# The header's fields are eight hex digits.
FILE_BYTES_MAX = 0xFFFF_FFFF

TYPE_BITS: dict[Kind, int] = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}
"""What file systems store of a kind, beside the mode."""


def write_cpio(entries: Iterable[Entry], sink: BinaryIO) -> None:
    """Write `entries` in the order given, then the trailer; every time stamp is zero.

    Inode numbers count from 1 in that order. Extended attributes are lost: the format has none.

    Args:
        entries: parents before their children, files before the hard links to them. Without
            hard links among them they need not fit into memory.
        sink: takes the bytes; nothing is read back.

    Raises:
        Error: a file is too large for the format (4 GiB).
    """
    for index, entry in enumerate(entries, start=1):
        _write_entry(entry, index, sink)
    _end(sink)


def write_linked_cpio(entries: Sequence[Entry], sink: BinaryIO) -> None:
    """Write entries of which some are hard links to earlier ones; else as `write_cpio`."""
    names = Counter(entry.link for entry in entries if entry.kind == "hardlink")
    numbers: dict[str, int] = {}
    for index, entry in enumerate(entries, start=1):
        target = (entry.link or "") if entry.kind == "hardlink" else entry.path
        if target == entry.path:
            numbers[entry.path] = index
            _write_entry(entry, index, sink, links=1 + names[entry.path])
        else:
            # The first name has brought the body.
            body = Entry(entry.path, "file", entry.mode, entry.uid, entry.gid)
            _write_entry(body, numbers[target], sink, links=1 + names[target])
    _end(sink)


def _end(sink: BinaryIO) -> None:
    _write_header(sink, "TRAILER!!!", ino=0, mode=0, nlink=1)


def _write_entry(entry: Entry, ino: int, sink: BinaryIO, *, links: int = 1) -> None:
    link = (entry.link or "").encode() if entry.kind == "symlink" else b""
    size_bytes = entry.content.size_bytes if entry.content is not None else len(link)
    if size_bytes > FILE_BYTES_MAX:
        raise Error(
            f"{entry.path} is too large for an initial RAM disk ({size_bytes} bytes)",
            hint="keep such files on the data disk",
        )
    _write_header(
        sink,
        entry.path,
        ino=ino,
        mode=TYPE_BITS[entry.kind] | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        nlink=2 if entry.kind == "directory" else links,
        size_bytes=size_bytes,
        device=entry.device or (0, 0),
    )
    if entry.content is not None:
        sink.writelines(entry.content.chunks())
    else:
        sink.write(link)
    sink.write(bytes(-size_bytes % 4))


def _write_header(
    sink: BinaryIO,
    path: str,
    *,
    ino: int,
    mode: int,
    nlink: int,
    uid: int = 0,
    gid: int = 0,
    size_bytes: int = 0,
    device: tuple[int, int] = (0, 0),
) -> None:
    name = path.encode() + b"\0"
    fields = (ino, mode, uid, gid, nlink, 0, size_bytes, 0, 0, *device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    sink.write(header + bytes(-len(header) % 4))
