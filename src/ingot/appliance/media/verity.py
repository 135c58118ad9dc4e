"""Hash trees of dm-verity: a read-only device of which the kernel checks every block it reads.

Source: Documentation/admin-guide/device-mapper/verity.rst of the Linux kernel; cryptsetup's
"DMVerity" wiki page for the header.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from ingot.appliance.media.pieces import align
from ingot.base.units import MIB
from ingot.oci.tree import Content

BLOCK_BYTES = 4096

_HASH = "sha256"
_HASH_BYTES = 32
_HASHES_PER_BLOCK = BLOCK_BYTES // _HASH_BYTES
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
    tree: bytes


def make_tree(data: Content, identifier: bytes) -> VerityTree:
    """Hash the data in blocks, the hashes in blocks, and so on up to one.

    There is no salt: it would have to be the same for equal builds, and protect nothing.

    Args:
        data: at least one byte; read once, front to back. The tree is 0.8 % of its size.
        identifier: 16 bytes for the header.
    """
    data_blocks = align(data.size_bytes, BLOCK_BYTES) // BLOCK_BYTES
    hashes = b"".join(
        _hash_blocks(chunk.ljust(align(len(chunk), BLOCK_BYTES), b"\0"))
        for chunk in data.chunks(_CHUNK_BYTES)
    )
    assert len(hashes) == data_blocks * _HASH_BYTES
    levels: list[bytes] = []
    while len(hashes) > _HASH_BYTES:
        level = hashes.ljust(align(len(hashes), BLOCK_BYTES), b"\0")
        levels.append(level)
        hashes = _hash_blocks(level)
    header = _HEADER.pack(
        *(b"verity", 1, 1, identifier, _HASH.encode()),
        *(BLOCK_BYTES, BLOCK_BYTES, data_blocks, 0, b""),
    )
    tree = header.ljust(BLOCK_BYTES, b"\0") + b"".join(reversed(levels))
    return VerityTree(data_blocks, hashes.hex(), tree)


def _hash_blocks(data: bytes) -> bytes:
    view = memoryview(data)
    return b"".join(
        hashlib.sha256(view[start : start + BLOCK_BYTES]).digest()
        for start in range(0, len(data), BLOCK_BYTES)
    )
