"""Packs: files that many small blobs share; reading, deleting and sweeping what is in them.

A blob in a pack begins at a block of 4 KiB and has its blocks for itself, so that deleting it is
making a hole in the pack, and writing another one never touches it. A pack of nothing but holes is
removed. What lives in a pack is told by the catalog alone: a pack has no table of contents.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ingot.base import failpoints
from ingot.store.blobs.contract import READ_BYTES_MAX, BlobRef, Named, PieceBytes
from ingot.store.blobs.frames import read_frames
from ingot.store.blobs.holes import BLOCK_BYTES, UNSUPPORTED, data_ranges, punch
from ingot.store.blobs.syncs import Syncs, full_device
from ingot.store.blobs.transfer import copy_range, pread
from ingot.store.errors import BlobDamagedError

# Session, number of the pack, then the first block and how many there are.
_ID = re.compile(r"([0-9a-f]{12})\.([0-9a-f]{6})\.([0-9a-f]{6})\.([0-9a-f]{3})")
# How many packs are compared with the catalog in one pass over it.
_PACKS_PER_PASS = 16


class Place(NamedTuple):
    """Where a blob is, which is also its name.

    Attributes:
        pack: the name of the pack's file.
        block: the first block.
        blocks: how many it has.
    """

    pack: str
    block: int
    blocks: int

    @property
    def blob_id(self) -> str:
        """The name that records keep."""
        return f"{self.pack}.{self.block:06x}.{self.blocks:03x}"

    @property
    def offset(self) -> int:
        """Where in the pack it begins, in bytes."""
        return self.block * BLOCK_BYTES

    @property
    def size_bytes(self) -> int:
        """What it takes of the device."""
        return self.blocks * BLOCK_BYTES

    @classmethod
    def parse(cls, blob_id: str) -> Place | None:
        """Return the place that an id names; `None` if it is no id of a blob in a pack."""
        match = _ID.fullmatch(blob_id)
        if match is None:
            return None
        session, number, block, blocks = match.groups()
        return cls(f"{session}.{number}", int(block, 16), int(blocks, 16))


class Packs:
    """The packs of all sessions.

    Args:
        directory: where they are.
        syncs: makes changes durable.
    """

    def __init__(self, directory: Path, syncs: Syncs) -> None:
        self._directory = directory
        self._syncs = syncs

    def read(
        self, ref: BlobRef, place: Place, start: int, stop: int, piece_bytes: PieceBytes
    ) -> Iterator[bytes]:
        """Yield the bytes `[start, stop)` of a blob in pieces.

        They are read and verified at once, before the first piece: when the blob is deleted there
        is a hole in its place, whoever may have the file open.
        """
        try:
            descriptor = os.open(self._directory / place.pack, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobDamagedError(ref.id, "the file is missing") from error
        try:
            content = b"".join(
                read_frames(
                    partial(_pread_at, descriptor, place.offset),
                    ref,
                    start,
                    stop,
                    lambda: READ_BYTES_MAX,
                )
            )
        finally:
            os.close(descriptor)
        offset, left_bytes = 0, len(content)
        while left_bytes:
            size_bytes = min(left_bytes, piece_bytes())
            whole = size_bytes == len(content)
            yield content if whole else content[offset : offset + size_bytes]
            offset += size_bytes
            left_bytes -= size_bytes

    def delete(self, places: Sequence[Place]) -> None:
        """Make holes where blobs are, durably; remove packs that are nothing else any more."""
        by_pack: dict[str, list[Place]] = {}
        for place in places:
            by_pack.setdefault(place.pack, []).append(place)
        for pack, doomed in by_pack.items():
            with contextlib.suppress(FileNotFoundError), self._opened(pack) as descriptor:
                for place in doomed:
                    _free(descriptor, place.offset, place.size_bytes)
                failpoints.reach("pack.punched")
                self._syncs.file(descriptor)
                self.drop_if_empty(pack, descriptor)

    def drop_if_empty(self, pack: str, descriptor: int) -> None:
        """Remove a pack without data, unless its session still writes to it."""
        if next(data_ranges(descriptor, 0, os.fstat(descriptor).st_size), None) is not None:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._directory / pack)
        self._syncs.folder(self._directory)

    def export(self, place: Place, directory: Path) -> int:
        """Give a blob the same place in another directory of packs; return its bytes.

        Never by a link: a hole made here would be one there. The pack there is synced. A blob
        whose pack is missing is left out.

        Raises:
            StoreFullError: the other device is full.
        """
        directory.mkdir(mode=0o700, exist_ok=True)
        try:
            with self._opened(place.pack) as source, full_device():
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
                target = os.open(directory / place.pack, flags, 0o600)
                try:
                    # Where filesystems can, the two share the bytes until one is deleted.
                    copy_range(source, target, place.offset, place.size_bytes)
                    os.fsync(target)
                finally:
                    os.close(target)
        except FileNotFoundError:
            return 0
        return place.size_bytes

    def sweep(self, sessions: Sequence[str], named: Named) -> int:
        """Free what no record names in the packs of ended sessions; return how many ranges."""
        count = 0
        for pack, descriptor, strays in self._strays(sessions, named):
            for start, stop in strays:
                _free(descriptor, start, stop - start)
            if strays:
                self._syncs.file(descriptor)
            self.drop_if_empty(pack, descriptor)
            count += len(strays)
        return count

    def stray_ranges(self, named: Named) -> int:
        """Return how many ranges of all packs hold data that no record names."""
        return sum(len(strays) for _, _, strays in self._strays(None, named))

    def _strays(
        self, sessions: Sequence[str] | None, named: Named
    ) -> Iterator[tuple[str, int, list[tuple[int, int]]]]:
        """Yield packs, open, and of each the ranges with data that no record names."""
        packs = iter(
            [
                pack
                for pack in sorted(os.listdir(self._directory))
                if sessions is None or pack.partition(".")[0] in sessions
            ]
        )
        while some := list(itertools.islice(packs, _PACKS_PER_PASS)):
            living: dict[str, set[Place]] = {pack: set() for pack in some}
            for blob_id in named():
                place = Place.parse(blob_id)
                if place is not None and place.pack in living:
                    living[place.pack].add(place)
            for pack, places in living.items():
                with contextlib.suppress(FileNotFoundError), self._opened(pack) as descriptor:
                    yield pack, descriptor, list(_outside(descriptor, sorted(places)))

    @contextlib.contextmanager
    def _opened(self, pack: str) -> Iterator[int]:
        descriptor = os.open(self._directory / pack, os.O_RDWR | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _free(descriptor: int, offset: int, size_bytes: int) -> None:
    """Make a hole; packs that came to a filesystem that cannot keep their space."""
    try:
        punch(descriptor, offset, size_bytes)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


def _pread_at(descriptor: int, base: int, size_bytes: int, offset: int) -> bytes:
    return pread(descriptor, size_bytes, base + offset)


def _outside(descriptor: int, places: Sequence[Place]) -> Iterator[tuple[int, int]]:
    """Yield where a pack has data outside of the places."""
    offset = 0
    for place in places:
        yield from data_ranges(descriptor, offset, place.offset)
        offset = max(offset, place.offset + place.size_bytes)
    yield from data_ranges(descriptor, offset, os.fstat(descriptor).st_size)
