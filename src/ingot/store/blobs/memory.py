"""Blobs in memory: the reference that the others are compared with, and for tests."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from ingot.base.units import KIB
from ingot.store.blobs.contract import (
    READ_BYTES_MAX,
    BlobRef,
    BlobWriter,
    Draft,
    Named,
    PieceBytes,
)
from ingot.store.blobs.frames import FrameSums, read_frames
from ingot.store.errors import BlobDamagedError


class MemoryDevice:
    """What several sessions share; it outlives them as a disk does.

    Attributes:
        files: content and footer by blob id.
        sessions: the sessions not settled yet, and whether each is open or claimed.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}
        self.sessions: dict[str, bool] = {}
        self.numbers = itertools.count()


class MemoryBlobs:
    """A `Blobs` on a `MemoryDevice`."""

    whole_bytes_max = 256 * KIB

    def __init__(self, device: MemoryDevice | None = None) -> None:
        self._device = device or MemoryDevice()
        self._session = f"{next(self._device.numbers):012x}"
        self._device.sessions[self._session] = True

    def writer(self, size_hint: int | None = None) -> BlobWriter:
        """Begin a blob."""
        return _MemoryWriter(self._device, self._new_id())

    def draft(self, content: bytes) -> Draft:
        """Name a blob."""
        assert 0 < len(content) <= self.whole_bytes_max
        sums = FrameSums()
        sums.update(content)
        footer, seal = sums.footer()
        ref = BlobRef(self._new_id(), len(content), seal)
        return _MemoryDraft(ref, content + footer, self.seal)

    def seal(self, drafts: Sequence[Draft]) -> Sequence[Exception | None]:
        """Keep the bytes of drafts."""
        for draft in drafts:
            assert isinstance(draft, _MemoryDraft)
            self._device.files.setdefault(draft.ref.id, bytearray(draft.content))
        return [None] * len(drafts)

    def read(
        self,
        ref: BlobRef,
        start: int = 0,
        length: int | None = None,
        *,
        piece_bytes: PieceBytes = lambda: READ_BYTES_MAX,
    ) -> Iterator[bytes]:
        """Yield verified bytes."""
        stop = ref.size_bytes if length is None else min(ref.size_bytes, start + length)
        if start < stop:
            yield from read_frames(
                partial(_pread, self._file(ref.id)), ref, start, stop, piece_bytes
            )

    def clone(self, refs: Sequence[BlobRef]) -> list[BlobRef]:
        """Copy the bytes."""
        copies = [(self._new_id(), bytearray(self._file(ref.id)), ref) for ref in refs]
        self._device.files.update({blob_id: content for blob_id, content, _ in copies})
        return [BlobRef(blob_id, ref.size_bytes, ref.seal) for blob_id, _, ref in copies]

    def delete(self, blob_ids: Sequence[str]) -> None:
        """Forget blobs."""
        for blob_id in blob_ids:
            self._device.files.pop(blob_id, None)

    def ended_sessions(self) -> list[str]:
        """Return the sessions that were closed."""
        return [session for session, busy in self._device.sessions.items() if not busy]

    @contextlib.contextmanager
    def claim(self, session: str) -> Iterator[bool]:
        """Mark an ended session as taken."""
        if self._device.sessions.get(session, True):
            yield False
            return
        self._device.sessions[session] = True
        try:
            yield True
        finally:
            if session in self._device.sessions:
                self._device.sessions[session] = False

    def sweep(self, sessions: Sequence[str], named: Named) -> int:
        """Forget what no record names."""
        left = {name for name in self._device.files if name.partition(".")[0] in sessions}
        left.difference_update(named())
        self.delete([*left])
        return len(left)

    def settle(self, session: str) -> None:
        """Forget the session."""
        del self._device.sessions[session]

    def close(self, *, settled: bool = False) -> None:
        """End this session."""
        if self._session in self._device.sessions:
            self._device.sessions[self._session] = False
            if settled:
                self.settle(self._session)

    def _new_id(self) -> str:
        return f"{self._session}.{next(self._device.numbers):010x}"

    def _file(self, blob_id: str) -> bytearray:
        try:
            return self._device.files[blob_id]
        except KeyError as error:
            raise BlobDamagedError(blob_id, "it is missing") from error


class _MemoryDraft(NamedTuple):
    ref: BlobRef
    content: bytes
    seal_all: Callable[[Sequence[Draft]], Sequence[Exception | None]]

    @property
    def size_bytes(self) -> int:
        return len(self.content)


class _MemoryWriter:
    def __init__(self, device: MemoryDevice, blob_id: str) -> None:
        self._device = device
        self._blob_id = blob_id
        self._sums = FrameSums()
        # In the device from the start: what is written and not sealed is left behind by a crash.
        self._content = device.files[blob_id] = bytearray()
        self._sealed = False

    def append(self, data: bytes | bytearray | memoryview) -> None:
        self._sums.update(data)
        self._content += data

    def seal(self) -> BlobRef:
        footer, seal = self._sums.footer()
        self._content += footer
        self._sealed = True
        return BlobRef(self._blob_id, self._sums.size_bytes, seal)

    def abort(self) -> None:
        if not self._sealed:
            self._device.files.pop(self._blob_id, None)


def _pread(content: bytearray, size_bytes: int, offset: int) -> bytes:
    return bytes(content[offset : offset + size_bytes])
