"""Writing large files past the page cache, which would be filled with what nobody reads soon."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
from pathlib import Path

from ingot.base.direct import BUFFER_BYTES, aligned_buffer

_BUFFERS_KEPT = 8

# Used again, because fresh memory costs as much as the page cache.
_buffers: queue.SimpleQueue[memoryview] = queue.SimpleQueue()


class DirectFile:
    """A new file that is written from its beginning to its end, in whole buffers.

    Where the filesystem cannot write directly, and for the last bytes, it goes through the cache.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            OSError: it exists, or cannot be created.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            self.descriptor = os.open(path, flags | os.O_DIRECT, 0o600)
            self._is_direct = True
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # Some filesystems find out after they made the file.
            path.unlink(missing_ok=True)
            self.descriptor = os.open(path, flags, 0o600)
            self._is_direct = False
        try:
            self._buffer = _buffers.get_nowait()
        except queue.Empty:
            self._buffer = aligned_buffer()
        self._filled_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes, and write them when a buffer is full.

        Raises:
            OSError: the device refused some.
        """
        view = memoryview(data)
        while view:
            piece = view[: BUFFER_BYTES - self._filled_bytes]
            stop = self._filled_bytes + len(piece)
            self._buffer[self._filled_bytes : stop] = piece
            self._filled_bytes = stop
            view = view[len(piece) :]
            if stop == BUFFER_BYTES:
                self._flush()

    def finish(self) -> None:
        """Write what is left; sync the file afterwards.

        Raises:
            OSError: the device refused some.
        """
        self._leave_direct()
        self._flush()

    def release(self) -> None:
        """Give the buffer back; the descriptor is the caller's to close. Nothing comes after."""
        if _buffers.qsize() < _BUFFERS_KEPT:
            _buffers.put(self._buffer)

    def _flush(self) -> None:
        view = self._buffer[: self._filled_bytes]
        while view:
            try:
                view = view[os.write(self.descriptor, view) :]
            except OSError as error:
                # Devices with larger blocks, and the rest of a write that was cut short.
                if error.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._leave_direct()
        self._filled_bytes = 0

    def _leave_direct(self) -> None:
        if self._is_direct:
            flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
            self._is_direct = False
