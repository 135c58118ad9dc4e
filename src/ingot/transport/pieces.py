"""Reading a body into buffers where it only comes in pieces of its own making."""

from __future__ import annotations

from collections.abc import Iterator


class PieceReader:
    """Fills buffers from pieces of any size.

    Args:
        pieces: none of them empty.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes into the buffer and return how many; 0 at the end."""
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        taken = self._rest[: len(buffer)]
        buffer[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
