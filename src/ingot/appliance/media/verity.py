"""Hash trees of dm-verity: a read-only device of which the kernel checks every block it reads.

Source: Documentation/admin-guide/device-mapper/verity.rst of the Linux kernel; cryptsetup's
"DMVerity" wiki page for the header.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from ingot.appliance.media.pieces import align
from ingot.base.units import MIB
from ingot.oci.tree import Content

BLOCK_BYTES = 4096

_HASH = "sha256"
_HASHES_PER_BLOCK = BLOCK_BYTES // 32
_CHUNK_BYTES = MIB
# Magic, version, hash type, identifier, algorithm, two block sizes, data blocks, salt size, salt.
_HEADER = struct.Struct("<8sII16s32sIIQH6x256s168x")


@dataclass(frozen=True, slots=True)
class VerityTree:
    """What makes data verifiable.

    Attributes:
        data_blocks: of 4 KiB; the last one is filled up with zeros.
        root_hash: in hex; whoever trusts it can trust the data.
        tree: stands right after the data's last block; its first block is a header that
            veritysetup reads, the hashes begin in its second.
    """

    data_blocks: int
    root_hash: str
    tree: Content


def make_tree(data: Content, identifier: bytes, path: Path) -> VerityTree:
    """Hash the data in blocks, the hashes in blocks, and so on up to one.

    There is no salt: it would have to be the same for equal builds, and protect nothing.

    Args:
        data: at least one byte; read once, front to back.
        identifier: 16 bytes for the header.
        path: takes the tree, 0.8 % of the data's size; nothing is there yet.
    """
    data_blocks = align(data.size_bytes, BLOCK_BYTES) // BLOCK_BYTES
    levels = _levels(data_blocks)
    header = _HEADER.pack(
        *(b"verity", 1, 1, identifier, _HASH.encode()),
        *(BLOCK_BYTES, BLOCK_BYTES, data_blocks, 0, b""),
    )
    # The highest level stands first.
    size_bytes = BLOCK_BYTES + sum(levels)
    place, below = size_bytes, data
    with path.open("xb") as file:
        file.write(header.ljust(BLOCK_BYTES, b"\0"))
        for level_bytes in levels:
            place -= level_bytes
            file.seek(place)
            for chunk in below.chunks(_CHUNK_BYTES):
                file.write(_hash_blocks(chunk))
            file.truncate(size_bytes)
            file.flush()
            below = Content(level_bytes, path=str(path), offset=place)
    root_hash = _hash_blocks(below.read()).hex()
    return VerityTree(data_blocks, root_hash, Content(size_bytes, path=str(path)))


def _levels(blocks: int) -> list[int]:
    """Return the size of each level of hashes in bytes, whole blocks, the lowest one first."""
    levels: list[int] = []
    while blocks > 1:
        blocks = -(-blocks // _HASHES_PER_BLOCK)
        levels.append(blocks * BLOCK_BYTES)
    return levels


def _hash_blocks(data: bytes) -> bytes:
    """Return the hashes of blocks; zeros fill up the last one."""
    view = memoryview(data.ljust(align(len(data), BLOCK_BYTES), b"\0"))
    return b"".join(
        hashlib.sha256(view[start : start + BLOCK_BYTES]).digest()
        for start in range(0, len(view), BLOCK_BYTES)
    )
