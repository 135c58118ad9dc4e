"""What uploads read their bytes from; each can be read anew for a retry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from ingot.base.errors import ConflictError, Error
from ingot.s3.chunked import ENCODED_CHUNK_BYTES

Advance = Callable[[int], None]


class Body(Protocol):
    """Bytes to send.

    Attributes:
        size_bytes: how many.
    """

    @property
    def size_bytes(self) -> int: ...

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start, all blocks but the last `ENCODED_CHUNK_BYTES` long.

        Raises:
            Error: they cannot be read.
        """
        ...


class BytesBody:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def data(self) -> bytes:
        """All of them."""
        return self._data

    @property
    def size_bytes(self) -> int:
        """How many."""
        return len(self._data)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start."""
        for start in range(0, len(self._data), ENCODED_CHUNK_BYTES):
            yield self._data[start : start + ENCODED_CHUNK_BYTES]


class FileBody:
    """A stretch of a file, read in place: the file may be shared between threads.

    Args:
        descriptor: of the open file; its position is neither used nor moved.
        path: the file's name for messages.
        start: offset in bytes.
        size_bytes: how many.
        advance: told of every block that was handed out; a retry takes back what it repeats.
    """

    def __init__(
        self,
        descriptor: int,
        path: Path,
        start: int,
        size_bytes: int,
        advance: Advance | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._path = path
        self._start = start
        self._size_bytes = size_bytes
        self._advance = advance
        self._advanced_bytes = 0

    @property
    def size_bytes(self) -> int:
        """How many bytes."""
        return self._size_bytes

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start.

        Raises:
            ConflictError: the file became shorter meanwhile.
            Error: it cannot be read.
        """
        self._report(-self._advanced_bytes)
        offset, end = self._start, self._start + self._size_bytes
        while offset < end:
            block = self._read(offset, min(ENCODED_CHUNK_BYTES, end - offset))
            offset += len(block)
            yield block
            self._report(len(block))

    def _report(self, amount_bytes: int) -> None:
        self._advanced_bytes += amount_bytes
        if self._advance is not None and amount_bytes:
            self._advance(amount_bytes)

    def _read(self, offset: int, size_bytes: int) -> bytes:
        pieces = []
        while size_bytes:
            try:
                piece = os.pread(self._descriptor, size_bytes, offset)
            except OSError as error:
                raise Error(f"{self._path} cannot be read: {error.strerror}") from error
            if not piece:
                raise ConflictError(f"{self._path} became shorter while it was uploaded")
            pieces.append(piece)
            offset += len(piece)
            size_bytes -= len(piece)
        return b"".join(pieces)
