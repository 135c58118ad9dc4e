"""Writes FAT32 file systems: what UEFI firmware and syslinux read. Long names, no dates.

Files are contiguous and begin at multiples of 4 KiB, so that a boot loader's sector list is one
run, and another file system on the same medium can point at them.
Source: Microsoft's "FAT: General Overview of On-Disk Format", 1.03.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ingot.appliance.media import fatnames
from ingot.appliance.media.pieces import ALIGNMENT_BYTES, SECTOR_BYTES, Piece, align
from ingot.base.units import MIB
from ingot.oci.tree import Content

# With fewer clusters readers take it for FAT16; some count a few wrong.
_CLUSTERS_MIN = 65_525 + 16
_CLUSTER_SECTORS_MAX = 64
_RESERVED_SECTORS_MIN = 32
_TABLES = 2
_ROOT_CLUSTER = 2
_END_OF_CHAIN = 0x0FFF_FFFF
_MEDIA = 0xF8
_INFORMATION_SECTOR = 1
_BACKUP_SECTOR = 6
_SLACK_BYTES = 1 * MIB
# Jump, maker, sector and cluster size, reserved sectors, tables, two sizes of FAT16, media, size
# of FAT16's tables, geometry, hidden and total sectors; then what FAT32 adds: table sectors,
# flags, version, root cluster, information and backup sector, zeros, drive, signature, serial,
# label, type.
_PARAMETERS = struct.Struct("<3s8sHBHBHHBHHHIIIHHIHH12xBxBI11s8s")
_NOT_BOOTABLE = b"\xeb\x58\x90"
_HALT = b"\xf4\xeb\xfd"
_BOOT_SIGNATURE = b"\x55\xaa"
_FILE_BYTES_MAX = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class FatVolume:
    """A file system, laid out.

    Attributes:
        pieces: its boot sector, tables, directories and files.
        offsets: where each file begins in it, by path.
    """

    size_bytes: int
    pieces: tuple[Piece, ...]
    offsets: Mapping[str, int]


def make_fat(
    files: Mapping[str, Content],
    *,
    label: str,
    serial: int,
    hidden_sectors: int = 0,
    boot_sector: bytes = b"",
) -> FatVolume:
    """Lay out a FAT32 file system as large as its files need, 33 MiB at least.

    Args:
        files: by path, `/` between directories; their order does not matter.
        label: the volume's name, at most 11 capital letters.
        serial: the volume's 32-bit number.
        hidden_sectors: sectors of the disk before the file system.
        boot_sector: what a BIOS starts; its parameters are replaced by this file system's.
    """
    root = _grow(files)
    data_bytes = sum(align(content.size_bytes) for content in files.values()) + _SLACK_BYTES
    geometry = _Geometry.of(data_bytes)
    label_entry = fatnames.short_entry(
        label.encode().ljust(11), fatnames.ATTRIBUTE_LABEL, cluster=0, size_bytes=0
    )
    used = _place(root, geometry, _ROOT_CLUSTER, len(label_entry))
    boot = _boot_sector(geometry, label, serial, hidden_sectors, boot_sector)
    chain = _chain(root, geometry)
    boot += _information(chain.count(0), used)
    pieces = [
        Piece(0, Content.of(boot)),
        Piece(_BACKUP_SECTOR * SECTOR_BYTES, Content.of(boot)),
    ]
    if sys.byteorder == "big":
        chain.byteswap()
    table = Content.of(chain.tobytes())
    for number in range(_TABLES):
        sector = geometry.reserved_sectors + number * geometry.table_sectors
        pieces.append(Piece(sector * SECTOR_BYTES, table))
    offsets: dict[str, int] = {}
    for path, node, content in _contents(root, "", label_entry):
        offset = geometry.offset(node.cluster)
        if node.content is not None:
            offsets[path] = offset
        pieces.append(Piece(offset, content))
    return FatVolume(geometry.sectors * SECTOR_BYTES, tuple(pieces), offsets)


@dataclass(slots=True)
class _Node:
    """A file, or a directory where it has no content, with its clusters."""

    content: Content | None = None
    children: dict[str, _Node] = field(default_factory=dict)
    cluster: int = _ROOT_CLUSTER
    count: int = 0


@dataclass(frozen=True, slots=True)
class _Geometry:
    """Sizes that follow from each other; the first cluster begins at a multiple of 4 KiB."""

    cluster_sectors: int
    clusters: int
    reserved_sectors: int
    table_sectors: int

    @classmethod
    def of(cls, data_bytes: int) -> _Geometry:
        """Choose the largest clusters of which there are still enough for FAT32."""
        cluster_sectors = 1
        while cluster_sectors < _CLUSTER_SECTORS_MAX and (
            data_bytes // (2 * cluster_sectors * SECTOR_BYTES) >= _CLUSTERS_MIN
        ):
            cluster_sectors *= 2
        per_alignment = ALIGNMENT_BYTES // SECTOR_BYTES
        needed = -(-data_bytes // (cluster_sectors * SECTOR_BYTES))
        clusters = align(max(needed, _CLUSTERS_MIN), per_alignment)
        table_sectors = align((clusters + _ROOT_CLUSTER) * 4, SECTOR_BYTES) // SECTOR_BYTES
        start = align(_RESERVED_SECTORS_MIN + _TABLES * table_sectors, per_alignment)
        return cls(cluster_sectors, clusters, start - _TABLES * table_sectors, table_sectors)

    @property
    def cluster_bytes(self) -> int:
        return self.cluster_sectors * SECTOR_BYTES

    @property
    def data_sector(self) -> int:
        return self.reserved_sectors + _TABLES * self.table_sectors

    @property
    def sectors(self) -> int:
        return self.data_sector + self.clusters * self.cluster_sectors

    def offset(self, cluster: int) -> int:
        """Return where a cluster begins, in bytes."""
        return self.data_sector * SECTOR_BYTES + (cluster - _ROOT_CLUSTER) * self.cluster_bytes


def _grow(files: Mapping[str, Content]) -> _Node:
    root = _Node()
    for path in sorted(files):
        node = root
        for part in path.split("/"):
            node = node.children.setdefault(part, _Node())
        node.content = files[path]
        assert node.content.size_bytes <= _FILE_BYTES_MAX
    return root


def _place(node: _Node, geometry: _Geometry, start: int, reserved_bytes: int) -> int:
    """Give the node and all below it clusters from `start` on; return the first that is left."""
    if node.content is None:
        size_bytes = reserved_bytes + len(_children(node))
    else:
        size_bytes = node.content.size_bytes
        per_alignment = max(1, ALIGNMENT_BYTES // geometry.cluster_bytes)
        start = align(start - _ROOT_CLUSTER, per_alignment) + _ROOT_CLUSTER
    node.count = -(-size_bytes // geometry.cluster_bytes)
    node.cluster = start if node.count else 0
    start += node.count
    for name in sorted(node.children):
        start = _place(node.children[name], geometry, start, 2 * fatnames.ENTRY_BYTES)
    return start


def _contents(node: _Node, path: str, first_entries: bytes) -> Iterator[tuple[str, _Node, Content]]:
    """Yield path, node and bytes of everything that has clusters."""
    if node.content is not None:
        if node.count:
            yield path, node, node.content
        return
    yield path, node, Content.of(first_entries + _children(node))
    for name, child in sorted(node.children.items()):
        # The parent of what lies in the root is written as 0.
        above = node.cluster if path else 0
        dots = b"".join(
            fatnames.short_entry(dot.ljust(11), fatnames.ATTRIBUTE_DIRECTORY, cluster, 0)
            for dot, cluster in ((b".", child.cluster), (b"..", above))
        )
        yield from _contents(child, f"{path}/{name}" if path else name, dots)


def _children(node: _Node) -> bytes:
    """Return the entries of a directory but its first ones."""
    short = fatnames.short_names(node.children)
    return b"".join(
        fatnames.entries(
            name,
            short[name],
            fatnames.ATTRIBUTE_DIRECTORY if child.content is None else fatnames.ATTRIBUTE_FILE,
            child.cluster,
            0 if child.content is None else child.content.size_bytes,
        )
        for name, child in sorted(node.children.items())
    )


def _chain(root: _Node, geometry: _Geometry) -> array[int]:
    """Return for every cluster the one that follows it; 0 where it is free."""
    chain = array("I", bytes(4 * (geometry.clusters + _ROOT_CLUSTER)))
    chain[0], chain[1] = 0x0FFF_FF00 | _MEDIA, _END_OF_CHAIN
    pending = [root]
    while pending:
        node = pending.pop()
        pending += node.children.values()
        last = node.cluster + node.count - 1
        for cluster in range(node.cluster, last):
            chain[cluster] = cluster + 1
        if node.count:
            chain[last] = _END_OF_CHAIN
    return chain


def _boot_sector(
    geometry: _Geometry, label: str, serial: int, hidden_sectors: int, code: bytes
) -> bytes:
    parameters = _PARAMETERS.pack(
        code[:3] or _NOT_BOOTABLE,
        code[3:11] or b"INGOT   ",
        SECTOR_BYTES,
        geometry.cluster_sectors,
        geometry.reserved_sectors,
        _TABLES,
        *(0, 0, _MEDIA, 0),
        *(63, 255, hidden_sectors, geometry.sectors),
        geometry.table_sectors,
        *(0, 0, _ROOT_CLUSTER, _INFORMATION_SECTOR, _BACKUP_SECTOR),
        *(0x80, 0x29, serial, label.encode().ljust(11), b"FAT32   "),
    )
    rest = code[_PARAMETERS.size : SECTOR_BYTES - 2] or _HALT
    return (parameters + rest).ljust(SECTOR_BYTES - 2, b"\0") + _BOOT_SIGNATURE


def _information(free_clusters: int, next_cluster: int) -> bytes:
    head = b"RRaA".ljust(484, b"\0") + b"rrAa" + struct.pack("<II", free_clusters, next_cluster)
    return head.ljust(SECTOR_BYTES - 2, b"\0") + _BOOT_SIGNATURE
