"""Writing packs: small blobs that come at the same time are appended and synced together."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ingot.base import failpoints
from ingot.base.errors import Error
from ingot.base.units import MIB
from ingot.store.blobs.contract import BlobRef, Draft
from ingot.store.blobs.frames import FrameSums
from ingot.store.blobs.holes import BLOCK_BYTES, punch
from ingot.store.blobs.packs import Place
from ingot.store.blobs.syncs import Syncs, full_device
from ingot.store.blobs.transfer import pwritev

PACK_BYTES_MAX = 256 * MIB


class _Pack:
    """A pack that blobs are added to.

    Attributes:
        name: its file's.
        descriptor: -1 until the first blob is written, which makes the file.
        end_block: where the next blob has its place.
        drafts: the places of blobs that are neither written nor dropped.
        failure: why nothing more is written to it, if so.
        retired: whether the next blobs go elsewhere.
        lock: held while the file is made and written to.
    """

    __slots__ = ("descriptor", "drafts", "end_block", "failure", "lock", "name", "retired")

    def __init__(self, name: str) -> None:
        self.name = name
        self.descriptor = -1
        self.end_block = 0
        self.drafts: set[Place] = set()
        self.failure: Exception | None = None
        self.retired = False
        self.lock = threading.Lock()


class _PackDraft:
    """A blob that has its place in a pack.

    Attributes:
        pieces: what fills its blocks; nothing once it is written.
        sealed: whether it is durable.
    """

    __slots__ = ("pack", "pieces", "place", "ref", "seal_all", "sealed")

    def __init__(
        self,
        pack: _Pack,
        place: Place,
        ref: BlobRef,
        pieces: Sequence[bytes],
        seal_all: Callable[[Sequence[Draft]], Sequence[Exception | None]],
    ) -> None:
        self.pack = pack
        self.place = place
        self.ref = ref
        self.pieces = pieces
        self.seal_all = seal_all
        self.sealed = False

    @property
    def size_bytes(self) -> int:
        return self.place.size_bytes


class PackWriter:
    """Appends blobs to the packs of one session. A blob's place is known before it is written.

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
        # Held for a moment, never while the device works: the event loop takes it too.
        self._lock = threading.Lock()
        self._count = 0
        self._packs: dict[str, _Pack] = {}
        self._pack: _Pack | None = None

    def draft(self, content: bytes) -> Draft:
        """Give a blob its place; from any thread, does not block."""
        sums = FrameSums()
        sums.update(content)
        footer, seal = sums.footer()
        blocks = -(-(len(content) + len(footer)) // BLOCK_BYTES)
        padding = bytes(blocks * BLOCK_BYTES - len(content) - len(footer))
        with self._lock:
            pack = self._pack_with_room(blocks)
            place = Place(pack.name, pack.end_block, blocks)
            pack.end_block += blocks
            pack.drafts.add(place)
        ref = BlobRef(place.blob_id, len(content), seal)
        return _PackDraft(pack, place, ref, (content, footer + padding), self.seal)

    def seal(self, drafts: Sequence[Draft]) -> list[Exception | None]:
        """Write drafts, with one sync for all of a pack. Blocking, from any thread."""
        own = [draft for draft in drafts if isinstance(draft, _PackDraft)]
        assert len(own) == len(drafts), "an engine seals its own drafts"
        by_pack: dict[_Pack, list[_PackDraft]] = {}
        for draft in own:
            if not draft.sealed:
                by_pack.setdefault(draft.pack, []).append(draft)
        for pack, some in by_pack.items():
            self._seal_in(pack, sorted(some, key=lambda draft: draft.place.block))
        for pack in [*self._packs.values()]:
            if pack.retired:
                self._retire(pack)
        return [_outcome(draft) for draft in own]

    def append(self, content: bytes) -> BlobRef:
        """Append a blob. Blocking, from any thread.

        Raises:
            StoreFullError: the device is full; nothing was kept.
            StoreFailedError: the bytes may be lost.
            OSError: the bytes could not be written; nothing was kept.
        """
        draft = self.draft(content)
        (failure,) = self.seal([draft])
        if failure is not None:
            raise failure
        return draft.ref

    def drop(self, place: Place) -> bool:
        """Forget a draft; tell whether there was one in this place."""
        pack = self._packs.get(place.pack)
        if pack is None or place not in pack.drafts:
            return False
        self._settle(pack, [place])
        return True

    def close(self) -> None:
        """Let go of the packs. Idempotent, blocking."""
        for pack in [*self._packs.values()]:
            self._settle(pack, [*pack.drafts])
            self._retire(pack)

    def _pack_with_room(self, blocks: int) -> _Pack:
        pack = self._pack
        if pack is not None and pack.end_block + blocks > PACK_BYTES_MAX // BLOCK_BYTES:
            pack.retired = True  # the next one that seals lets go of it
            pack = None
        if pack is None:
            pack = self._pack = _Pack(f"{self._session}.{self._count:06x}")
            self._packs[pack.name] = pack
            self._count += 1
        return pack

    def _seal_in(self, pack: _Pack, drafts: Sequence[_PackDraft]) -> None:
        """Write and sync drafts of a pack, unless it has failed."""
        try:
            with pack.lock:
                if pack.failure is not None:
                    return
                assert all(draft.place in pack.drafts for draft in drafts), "one was dropped"
                if pack.descriptor < 0:
                    self._make(pack)
                with full_device():
                    _write(pack.descriptor, drafts)
            failpoints.reach("pack.written")
            self._syncs.file(pack.descriptor)
        except (Error, OSError) as error:
            # What the kernel makes of these blocks is unsure from here on: nothing more is
            # written here.
            pack.failure = error
            self._abandon(pack, drafts)
            return
        finally:
            self._settle(pack, [draft.place for draft in drafts])
        failpoints.reach("pack.sealed")
        for draft in drafts:
            draft.sealed = True
            draft.pieces = ()

    def _make(self, pack: _Pack) -> None:
        """Create the file of a pack."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with full_device():
            descriptor = os.open(self._directory / pack.name, flags, 0o600)
        try:
            # Nobody removes a pack that blobs are still added to, however empty it is.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            self._syncs.folder(self._directory)
        except BaseException:
            os.close(descriptor)
            raise
        pack.descriptor = descriptor

    def _abandon(self, pack: _Pack, drafts: Sequence[_PackDraft]) -> None:
        self.tidy = False
        if pack.descriptor >= 0:
            for draft in drafts:
                with contextlib.suppress(OSError):
                    punch(pack.descriptor, draft.place.offset, draft.size_bytes)
        self._retire(pack)

    def _settle(self, pack: _Pack, places: Sequence[Place]) -> None:
        """Note that nobody will write in these places any more."""
        with self._lock:
            pack.drafts.difference_update(places)
        if pack.retired:
            self._retire(pack)

    def _retire(self, pack: _Pack) -> None:
        """Add no more blobs to a pack; let go of it when the last draft is settled."""
        with self._lock:
            pack.retired = True
            if self._pack is pack:
                self._pack = None
            if pack.drafts:
                return
            self._packs.pop(pack.name, None)
            descriptor, pack.descriptor = pack.descriptor, -1
        if descriptor < 0:
            return
        try:
            with contextlib.suppress(Error):  # whoever waits for the sync that failed was told
                self._drop_if_empty(pack.name, descriptor)
        finally:
            os.close(descriptor)


def _outcome(draft: _PackDraft) -> Exception | None:
    if draft.sealed:
        return None
    assert draft.pack.failure is not None, "what is not sealed has failed"
    return draft.pack.failure


def _write(descriptor: int, drafts: Sequence[_PackDraft]) -> None:
    """Write drafts, sorted by their places; those side by side at once."""
    pieces: list[bytes] = []
    offset = stop = 0
    for draft in drafts:
        if draft.place.offset != stop:
            pwritev(descriptor, pieces, offset)
            pieces, offset = [], draft.place.offset
        pieces += draft.pieces
        stop = draft.place.offset + draft.size_bytes
    pwritev(descriptor, pieces, offset)
