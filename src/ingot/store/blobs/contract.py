"""What an engine of immutable byte sequences must do for the store; no engine is here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from ingot.base.units import KIB, MIB

# The unit of verification: a read fetches and checks whole frames before a byte of them leaves.
FRAME_BYTES = 64 * KIB
# A piece that is read at once when the reader does not say otherwise.
READ_BYTES_MAX = 1 * MIB

# Says before each piece how many bytes it may have, at least 1.
PieceBytes = Callable[[], int]
# Yields, each time it is called, the id of every blob that a record names.
Named = Callable[[], Iterator[str]]


class BlobRef(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Names a sealed blob; stored inside catalog records.

    Attributes:
        id: the engine's name for the blob (ASCII, at most 64 characters).
        size_bytes: how many bytes it holds.
        seal: CRC32C over the blob's table of frame checksums. It ties the catalog to the very
            bytes that were sealed: another blob, however intact, is not taken for this one.
    """

    id: str
    size_bytes: int
    seal: int


class Draft(Protocol):
    """A whole body that has its name already; `Blobs.seal` makes it durable."""

    @property
    def ref(self) -> BlobRef:
        """The name that records may keep once the draft is sealed."""
        ...

    @property
    def size_bytes(self) -> int:
        """How many bytes are to be written."""
        ...

    @property
    def seal_all(self) -> Callable[[Sequence[Draft]], Sequence[Exception | None]]:
        """The `seal` of its engine."""
        ...


class BlobWriter(Protocol):
    """One blob in the making. Blocking; used by one thread at a time, which may change."""

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Add bytes at the end.

        Raises:
            StoreFullError: the device is full; call `abort`.
        """
        ...

    def seal(self) -> BlobRef:
        """Make the blob durable (bytes and name) and immutable, and return its name."""
        ...

    def abort(self) -> None:
        """Drop what was written. Idempotent; no effect after `seal`."""
        ...


class Blobs(Protocol):
    """A set of immutable byte sequences. All but `draft` blocks: call it from worker threads.

    Each open engine is a *session*. Blobs that a session sealed but no catalog record names
    become orphans only when the session has ended (its process is gone), so a sweeper looks at
    ended sessions only and can never take a blob that somebody is about to commit.
    """

    @property
    def whole_bytes_max(self) -> int:
        """Up to which size a body in memory is better made a draft than given to a writer."""
        ...

    def draft(self, content: bytes) -> Draft:
        """Name a whole body of 1 to `whole_bytes_max` bytes; nothing of it is written.

        Whoever has the draft sees to it that it is sealed or, by its id, deleted.

        Raises:
            StoreFullError: the device has no room for it.
        """
        ...

    def seal(self, drafts: Sequence[Draft]) -> Sequence[Exception | None]:
        """Make drafts durable together, which costs little more than one alone.

        Drafts that are sealed already are left as they are.

        Returns:
            For each, in order, `None` or why it is not durable and never will be: a
            `StoreFullError`, a `StoreFailedError` when the bytes may be lost, or an `OSError`.
        """
        ...

    def writer(self, size_hint: int | None = None) -> BlobWriter:
        """Begin a blob; `size_hint` is the size expected in bytes, if known.

        Raises:
            StoreFullError: the device has no room for it.
        """
        ...

    def read(
        self,
        ref: BlobRef,
        start: int = 0,
        length: int | None = None,
        *,
        piece_bytes: PieceBytes = lambda: READ_BYTES_MAX,
    ) -> Iterator[bytes]:
        """Yield the bytes `[start, start + length)` in pieces.

        Every frame is verified, in the read that yields bytes of it, before they are yielded.
        Once the first piece is out, a concurrent `delete` does not disturb the iterator. Close it
        to release it early.

        Args:
            ref: the blob.
            start: the first byte.
            length: how many bytes; `None` for all that follow.
            piece_bytes: called before each piece: how many bytes it may have.

        Raises:
            BlobDamagedError: (on iteration) the blob is missing, cut, or a checksum is wrong.
        """
        ...

    def clone(self, refs: Sequence[BlobRef]) -> list[BlobRef]:
        """Return new, independent, durable blobs with the same content, cheaply if possible.

        Raises:
            BlobDamagedError: a blob is missing.
        """
        ...

    def delete(self, blob_ids: Sequence[str]) -> None:
        """Remove blobs durably, and drafts; unknown ones are no error."""
        ...

    def ended_sessions(self) -> list[str]:
        """Return the sessions that have ended and are not settled yet."""
        ...

    def claim(self, session: str) -> AbstractContextManager[bool]:
        """Reserve an ended session for the caller; yields whether that succeeded."""
        ...

    def sweep(self, sessions: Sequence[str], named: Named) -> int:
        """Remove, durably, what claimed sessions left, sealed or not, and no record names.

        Args:
            sessions: claimed by the caller.
            named: see `Named`; called as often as needed.

        Returns:
            How many blobs, or ranges of bytes that may be more than one, that were.
        """
        ...

    def settle(self, session: str) -> None:
        """Note (durably) that every blob left of the claimed session is in use."""
        ...

    def close(self, *, settled: bool = False) -> None:
        """End this session. Idempotent.

        Args:
            settled: the caller vouches that a record names every blob that the session has
                sealed and not deleted, so that nobody needs to look.
        """
        ...
