"""Writes EROFS, a read-only file system whose uncompressed files the kernel reads where they lie.

Source: Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h of the Linux kernel. Every inode
is of the long form; the end of a file stands behind its inode where there is room in the block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from ingot.appliance.cpio import TYPE_BITS
from ingot.appliance.media.pieces import Piece, align
from ingot.base.errors import Error
from ingot.oci.tree import Content, Entry, Kind, directory

BLOCK_BYTES = 4096

_BLOCK_BITS = 12
_MAGIC = 0xE0F5_E1E2
_SUPER_OFFSET = 1024
# Magic, checksum, features that may be ignored, block size, more slots, root, inodes, time (2),
# blocks, where inodes and shared attributes begin, identifier, label, features that may not.
_SUPER = struct.Struct("<IIIBBHQQIIII16s16sI44x")
_SLOT_BYTES = 32
# Format, attributes, mode, -, size, place or device, number, owner, group, time (2), links.
_INODE = struct.Struct("<HHHHQIIIIQII16x")
_LONG = 1
_PLAIN, _INLINE = 0 << 1, 2 << 1
_DIRENT = struct.Struct("<QHBx")
# What is left empty so that the end of a file can stand behind its inode.
_WASTE_BYTES_MAX = BLOCK_BYTES // 2
_BLOCKS_MAX = 0xFFFF_FFFF

_XATTR_HEADER = struct.Struct("<IB7x")
_XATTR = struct.Struct("<BBH")
_XATTR_PREFIXES = (
    ("system.posix_acl_access", 2),
    ("system.posix_acl_default", 3),
    ("trusted.", 4),
    ("security.", 6),
    ("user.", 1),
)
_FILE_TYPES: dict[Kind, int] = {
    "file": 1,
    "directory": 2,
    "char": 3,
    "block": 4,
    "fifo": 5,
    "symlink": 7,
}


@dataclass(frozen=True, slots=True)
class ErofsImage:
    """A file system to be; `pieces` lie in a file of `size_bytes`, whole blocks."""

    size_bytes: int
    pieces: tuple[Piece, ...]


@dataclass(slots=True, eq=False)
class _Node:
    """One inode while it finds its place.

    Attributes:
        children: of a directory, with `.` and `..`, by name.
        offset: of the inode.
        tail_bytes: how much of the body stands behind the inode.
        block: where the rest of the body begins.
    """

    entry: Entry
    number: int
    xattrs: bytes = b""
    children: dict[bytes, _Node] = field(default_factory=dict)
    links: int = 1
    size_bytes: int = 0
    offset: int = 0
    tail_bytes: int = 0
    block: int = 0

    @property
    def head_bytes(self) -> int:
        return _INODE.size + len(self.xattrs)

    @property
    def nid(self) -> int:
        return self.offset // _SLOT_BYTES


def lay_out(entries: Iterable[Entry], identifier: bytes) -> ErofsImage:
    """Return the file system of a tree; its time stamps are zero.

    Args:
        entries: parents before their children, hard links after what they name.
        identifier: 16 bytes that stand for the file system.

    Raises:
        Error: an entry has attributes that the format cannot hold, or all is too large for it.
    """
    nodes = _nodes(entries)
    # Inodes are counted in slots from the beginning, where the superblock is.
    cursor = _SUPER_OFFSET + _SUPER.size
    for node in nodes:
        cursor = _place(node, cursor)
    block = align(cursor, BLOCK_BYTES) // BLOCK_BYTES
    for node in nodes:
        node.block = block
        block += -(-(node.size_bytes - node.tail_bytes) // BLOCK_BYTES)
    if block > _BLOCKS_MAX:
        raise Error(f"the root file system is too large for erofs ({block} blocks)")
    root = nodes[0]
    head = _SUPER.pack(
        *(_MAGIC, 0, 0, _BLOCK_BITS, 0, root.nid, len(nodes), 0, 0),
        *(block, 0, 0, identifier, b"", 0),
    )
    pieces = [Piece(_SUPER_OFFSET, Content.of(head))]
    for node in nodes:
        pieces += _pieces(node)
    return ErofsImage(block * BLOCK_BYTES, tuple(pieces))


def _nodes(entries: Iterable[Entry]) -> list[_Node]:
    """Return an inode for each entry but hard links, the root first, with their sizes."""
    root = _Node(directory("."), 1)
    nodes = {"": root}
    root.children = {b".": root, b"..": root}
    for entry in entries:
        parent, _, name = entry.path.rpartition("/")
        if entry.kind == "hardlink":
            node = nodes[entry.link or ""]
            node.links += 1
        else:
            node = _Node(entry, len(nodes) + 1, _xattrs(entry))
            nodes[entry.path] = node
        nodes[parent].children[name.encode("utf-8", "surrogateescape")] = node
        if entry.kind == "directory":
            node.children = {b".": node, b"..": nodes[parent]}
    for node in nodes.values():
        if node.children:
            node.links = 2 + sum(
                child.entry.kind == "directory"
                for name, child in node.children.items()
                if name not in {b".", b".."}
            )
            node.size_bytes = _directory_bytes(node)
        elif node.entry.kind == "symlink":
            node.size_bytes = len(_link(node.entry))
        elif node.entry.content is not None:
            node.size_bytes = node.entry.content.size_bytes
    return list(nodes.values())


def _link(entry: Entry) -> bytes:
    return (entry.link or "").encode("utf-8", "surrogateescape")


def _place(node: _Node, cursor: int) -> int:
    """Give an inode its place, at `cursor` or in the next block; return what follows it."""
    tail_bytes = node.size_bytes % BLOCK_BYTES
    room = -cursor % BLOCK_BYTES
    if node.head_bytes + tail_bytes > (room or BLOCK_BYTES):
        fits_alone = node.head_bytes + tail_bytes <= BLOCK_BYTES
        if room >= node.head_bytes and (room > _WASTE_BYTES_MAX or not fits_alone):
            tail_bytes = 0
        else:
            cursor = align(cursor, BLOCK_BYTES)
            tail_bytes = tail_bytes if fits_alone else 0
    node.offset, node.tail_bytes = cursor, tail_bytes
    return align(cursor + node.head_bytes + tail_bytes, _SLOT_BYTES)


def _pieces(node: _Node) -> Iterable[Piece]:
    """Yield the inode, what stands behind it, and the rest of its body."""
    entry, device = node.entry, node.entry.device
    # A device's numbers as the kernel encodes them.
    place = (
        (device[1] & 0xFF | device[0] << 8 | (device[1] & ~0xFF) << 12) if device else node.block
    )
    inode = _INODE.pack(
        _LONG | (_INLINE if node.tail_bytes else _PLAIN),
        # Counted in words of four bytes; the header is the first.
        (len(node.xattrs) - _XATTR_HEADER.size) // 4 + 1 if node.xattrs else 0,
        *(TYPE_BITS[entry.kind] | entry.mode, 0, node.size_bytes, place, node.number),
        *(entry.uid, entry.gid, 0, 0, node.links),
    )
    yield Piece(node.offset, Content.of(inode + node.xattrs))
    body = _body(node)
    if body is None or not body.size_bytes:
        return
    whole_bytes = body.size_bytes - node.tail_bytes
    if node.tail_bytes:
        yield Piece(node.offset + node.head_bytes, body.part(whole_bytes, node.tail_bytes))
    if whole_bytes:
        yield Piece(node.block * BLOCK_BYTES, body.part(0, whole_bytes))


def _body(node: _Node) -> Content | None:
    if node.children:
        return Content.of(_directory(node))
    if node.entry.kind == "symlink":
        return Content.of(_link(node.entry))
    return node.entry.content


def _blocks(node: _Node) -> list[list[bytes]]:
    """Return the names of a directory as they are spread over blocks, in the order of bytes."""
    blocks: list[list[bytes]] = [[]]
    used = 0
    for name in sorted(node.children):
        needed = _DIRENT.size + len(name)
        if used + needed > BLOCK_BYTES:
            blocks.append([])
            used = 0
        blocks[-1].append(name)
        used += needed
    return blocks


def _directory_bytes(node: _Node) -> int:
    *full, last = _blocks(node)
    return len(full) * BLOCK_BYTES + sum(_DIRENT.size + len(name) for name in last)


def _directory(node: _Node) -> bytes:
    """Return the body of a directory: in each block the entries, then their names."""
    body = bytearray()
    for names in _blocks(node):
        body += bytes(-len(body) % BLOCK_BYTES)
        offset = len(names) * _DIRENT.size
        for name in names:
            child = node.children[name]
            body += _DIRENT.pack(child.nid, offset, _FILE_TYPES[child.entry.kind])
            offset += len(name)
        body += b"".join(names)
    return bytes(body)


def _xattrs(entry: Entry) -> bytes:
    """Return an entry's extended attributes as they stand behind its inode."""
    if not entry.xattrs:
        return b""
    packed = bytearray(_XATTR_HEADER.pack(0, 0))
    for name, value in entry.xattrs:
        index, rest = _split(name, entry.path)
        packed += _XATTR.pack(len(rest), index, len(value)) + rest + value
        packed += bytes(-len(packed) % 4)
    if _INODE.size + len(packed) > BLOCK_BYTES:
        raise Error(f"{entry.path} has more extended attributes than erofs can hold")
    return bytes(packed)


def _split(name: str, path: str) -> tuple[int, bytes]:
    for prefix, index in _XATTR_PREFIXES:
        if name.startswith(prefix):
            return index, name.removeprefix(prefix).encode()
    raise Error(f"{path} has an extended attribute that erofs cannot hold: {name}")
