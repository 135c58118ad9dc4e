"""Gives the root folder of a squashfs image to root: mksquashfs gives it to whoever builds.

When mksquashfs 4.5 reads an archive, it takes no notice of its own `-root-uid` and `-root-gid`.
Source: the kernel's fs/squashfs/squashfs_fs.h. Inodes and owners must not be compressed.
"""

from __future__ import annotations

import struct
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import BinaryIO

from ingot.appliance.media.pieces import align
from ingot.base.errors import IntegrityError

_MAGIC = b"hsqs"
_SUPER_BYTES = 96
_OWNERS, _ROOT, _USED, _OWNER_TABLE, _XATTR_TABLE, _INODE_TABLE = 26, 32, 40, 48, 56, 64
_NONE = 0xFFFF_FFFF_FFFF_FFFF
_BLOCK_BYTES = 8192
_BLOCK_HEADER = struct.Struct("<H")
_STORED = 0x8000
_PAD_BYTES = 4096


def give_to_root(path: Path, owners: AbstractSet[int]) -> None:
    """Make user and group 0 own the root folder, as if root had built the image.

    Args:
        path: an image of mksquashfs, which wrote the root folder's inode last.
        owners: every user and group of the other files; fewer than 2,048.

    Raises:
        IntegrityError: the image is not as mksquashfs makes it.
    """
    with path.open("r+b") as file:
        head = bytearray(file.read(_SUPER_BYTES))
        (count,) = struct.unpack_from("<H", head, _OWNERS)
        (pointer,) = struct.unpack("<Q", _at(file, _long(head, _OWNER_TABLE), 8))
        (header,) = _BLOCK_HEADER.unpack(_at(file, pointer, _BLOCK_HEADER.size))
        if not head.startswith(_MAGIC) or header != _STORED | 4 * count:
            raise IntegrityError(f"{path.name} is not the image that mksquashfs makes")
        table = list(struct.unpack(f"<{count}I", _at(file, pointer + 2, 4 * count)))
        # Owners stand in the order in which inodes were written: the builder, if it owns nothing
        # else, is behind all others.
        kept = table[: len(owners)] if 0 in owners else [*table[: len(owners)], 0]
        if set(kept) != owners | {0}:
            raise IntegrityError(f"{path.name} has owners that its files do not have")
        _set_owner(file, head, kept.index(0))
        after = _long(head, _OWNER_TABLE) + 8
        rest = _at(file, after, _long(head, _USED) - after)
        moved = 4 * (count - len(kept))
        file.seek(pointer)
        file.write(_BLOCK_HEADER.pack(_STORED | 4 * len(kept)))
        file.write(struct.pack(f"<{len(kept)}IQ", *kept, pointer))
        _write_rest(file, head, rest, moved)
        struct.pack_into("<H", head, _OWNERS, len(kept))
        for place in (_USED, _OWNER_TABLE):
            struct.pack_into("<Q", head, place, _long(head, place) - moved)
        file.truncate(_long(head, _USED))
        file.truncate(align(_long(head, _USED), _PAD_BYTES))
        file.seek(0)
        file.write(head)


def _set_owner(file: BinaryIO, head: bytes | bytearray, index: int) -> None:
    """Write the root folder's user and group, which are two bytes each, four into its inode."""
    reference = _long(head, _ROOT)
    block, offset = reference >> 16, (reference & 0xFFFF) + 4
    for place in (offset, offset + 2):
        # The inode may go on in the next block, behind a header.
        headers = _BLOCK_HEADER.size * (1 + place // _BLOCK_BYTES)
        file.seek(_long(head, _INODE_TABLE) + block + headers + place)
        file.write(struct.pack("<H", index))


def _write_rest(file: BinaryIO, head: bytearray, rest: bytes, moved: int) -> None:
    """Write what followed the owners, extended attributes, with the places in it moved."""
    start = _long(head, _XATTR_TABLE)
    if start != _NONE:
        struct.pack_into("<Q", head, _XATTR_TABLE, start - moved)
        index = start - _long(head, _OWNER_TABLE) - 8
        changed = bytearray(rest)
        # The first of the places is followed by the number of sets and a zero.
        for place in (index, *range(index + 16, len(changed) - 7, 8)):
            struct.pack_into("<Q", changed, place, _long(changed, place) - moved)
        rest = bytes(changed)
    file.write(rest)


def _at(file: BinaryIO, offset: int, size_bytes: int) -> bytes:
    file.seek(offset)
    return file.read(size_bytes)


def _long(data: bytes | bytearray, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 8], "little")
