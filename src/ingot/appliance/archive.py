"""Turns a tree into a tar stream: sorted, undated, equal files stored once as hard links."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from ingot.oci.tree import Entry, Kind, Tree

_TYPES: dict[Kind, bytes] = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
    "fifo": tarfile.FIFOTYPE,
}


def share_equal_files(tree: Tree) -> Iterator[Entry]:
    """Yield the tree's entries in order; a file equal to an earlier one becomes a hard link.

    Equal means content, mode, owner and extended attributes. Empty files stay files of their own:
    they are places for mounts.
    """
    first: dict[object, str] = {}
    for entry in tree:
        if entry.kind != "file" or entry.content is None or not entry.content.size_bytes:
            yield entry
            continue
        key = (entry.content.sha256(), entry.mode, entry.uid, entry.gid, entry.xattrs)
        path = first.setdefault(key, entry.path)
        if path == entry.path:
            yield entry
        else:
            yield msgspec.structs.replace(entry, kind="hardlink", link=path, content=None)


def write_tar(tree: Tree, sink: BinaryIO) -> None:
    """Write the tree as one POSIX (pax) tar archive; every time stamp is zero.

    The sink is only written to, so it may be a pipe.

    Raises:
        OSError: the sink refuses, or a file's bytes cannot be read.
        IntegrityError: a file is shorter than it was.
    """
    for entry in share_equal_files(tree):
        sink.write(_header(entry))
        if entry.kind == "file" and entry.content is not None:
            sink.writelines(entry.content.chunks())
            sink.write(bytes(-entry.content.size_bytes % tarfile.BLOCKSIZE))
    sink.write(bytes(2 * tarfile.BLOCKSIZE))


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.type = _TYPES[entry.kind]
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    info.linkname = entry.link or ""
    info.devmajor, info.devminor = entry.device or (0, 0)
    if entry.content is not None:
        info.size = entry.content.size_bytes
    # pax records are UTF-8 text; readers of this key take the bytes as they are.
    info.pax_headers = {
        f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")
        for name, value in entry.xattrs
    }
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
