"""Writing packs: small blobs that come at the same time are appended and synced together."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ingot.base import failpoints
from ingot.base.errors import Error
from ingot.base.units import MIB
from ingot.store.batches import Batcher
from ingot.store.blobs.contract import BlobRef
from ingot.store.blobs.frames import FrameSums
from ingot.store.blobs.holes import BLOCK_BYTES, punch
from ingot.store.blobs.packs import Place
from ingot.store.blobs.syncs import Syncs, full_device
from ingot.store.blobs.transfer import pwritev

PACK_BYTES_MAX = 256 * MIB
_BATCH_BLOBS_MAX = 256
_BATCH_BYTES_MAX = 16 * MIB


class _Small:
    """A blob in the making, and who waits for it."""

    __slots__ = ("content", "future")

    def __init__(self, content: bytes, future: asyncio.Future[BlobRef]) -> None:
        self.content = content
        self.future = future

    @property
    def size_bytes(self) -> int:
        return len(self.content)


class PackWriter:
    """Appends blobs to the packs of one session, one pack at a time.

    Args:
        directory: where the packs are.
        session: whose they are.
        syncs: makes them durable.
        drop_if_empty: removes a pack, given its name and a descriptor, if nothing lives in it.

    Attributes:
        tidy: whether everything written became a blob; else the session needs a sweep.
    """

    def __init__(
        self,
        directory: Path,
        session: str,
        syncs: Syncs,
        drop_if_empty: Callable[[str, int], None],
    ) -> None:
        self._directory = directory
        self._session = session
        self._syncs = syncs
        self._drop_if_empty = drop_if_empty
        self.tidy = True
        # Held by whoever appends: the batcher's thread, and those that copy blobs.
        self._lock = threading.Lock()
        self._count = 0
        self._pack = ""
        self._descriptor = -1
        self._end_block = 0
        self._batcher: Batcher[_Small] | None = None

    def store(self, content: bytes) -> asyncio.Future[BlobRef]:
        """Queue a blob from the event loop; the future is its name once it is durable."""
        if self._batcher is None:
            self._batcher = Batcher(
                "ingot-packs",
                self._append_batch,
                lambda: None,
                items_max=_BATCH_BLOBS_MAX,
                bytes_max=_BATCH_BYTES_MAX,
            )
        future: asyncio.Future[BlobRef] = asyncio.get_running_loop().create_future()
        self._batcher.put(_Small(content, future))
        return future

    def append(self, contents: Sequence[bytes]) -> list[BlobRef]:
        """Append blobs, with one sync for all of them. Blocking, from any thread.

        Raises:
            StoreFullError: the device is full; nothing was kept.
            StoreFailedError: the bytes may be lost.
            OSError: the bytes could not be written; nothing was kept.
        """
        pieces: list[bytes] = []
        blobs: list[tuple[int, int, int]] = []  # blocks, size, seal
        for content in contents:
            sums = FrameSums()
            sums.update(content)
            footer, seal = sums.footer()
            blocks = -(-(len(content) + len(footer)) // BLOCK_BYTES)
            padding = bytes(blocks * BLOCK_BYTES - len(content) - len(footer))
            pieces += (content, footer + padding)
            blobs.append((blocks, len(content), seal))
        with self._lock:
            block = self._write(pieces, sum(blocks for blocks, _, _ in blobs))
            pack = self._pack
        refs = []
        for blocks, size_bytes, seal in blobs:
            refs.append(BlobRef(Place(pack, block, blocks).blob_id, size_bytes, seal))
            block += blocks
        return refs

    def close(self) -> None:
        """Finish what waits and let go of the pack. Idempotent, blocking."""
        if self._batcher is not None:
            self._batcher.close()
        with self._lock:
            self._retire()

    def _append_batch(self, batch: list[_Small], gather: Callable[[], None]) -> Sequence[object]:
        try:
            return self.append([small.content for small in batch])
        except (Error, OSError) as error:
            return [error] * len(batch)

    def _write(self, pieces: list[bytes], blocks: int) -> int:
        """Write at the end of the pack, sync, and return the first block."""
        if self._descriptor < 0 or self._end_block + blocks > PACK_BYTES_MAX // BLOCK_BYTES:
            self._retire()
            self._begin()
        first = self._end_block
        self._end_block += blocks
        try:
            with full_device():
                pwritev(self._descriptor, pieces, first * BLOCK_BYTES)
            failpoints.reach("pack.written")
            self._syncs.file(self._descriptor)
        except BaseException:
            # What the kernel makes of these blocks is unsure from here on: the next blobs go
            # elsewhere.
            self._abandon(first, blocks)
            raise
        failpoints.reach("pack.sealed")
        return first

    def _begin(self) -> None:
        pack = f"{self._session}.{self._count:06x}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with full_device():
            descriptor = os.open(self._directory / pack, flags, 0o600)
        self._count += 1
        try:
            # Nobody removes a pack that blobs are still added to, however empty it is.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self._syncs.folder(self._directory)
        except BaseException:
            self.tidy = False
            os.close(descriptor)
            raise
        self._pack, self._descriptor, self._end_block = pack, descriptor, 0

    def _abandon(self, first: int, blocks: int) -> None:
        self.tidy = False
        with contextlib.suppress(OSError):
            punch(self._descriptor, first * BLOCK_BYTES, blocks * BLOCK_BYTES)
        self._retire()

    def _retire(self) -> None:
        if self._descriptor < 0:
            return
        descriptor, self._descriptor = self._descriptor, -1
        try:
            with contextlib.suppress(Error):  # whoever waits for the sync that failed was told
                self._drop_if_empty(self._pack, descriptor)
        finally:
            os.close(descriptor)
