"""Holes in files: giving ranges of a file back to the device, and seeing what is left of it."""

from __future__ import annotations

import ctypes
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# What filesystems allocate, and so what ranges are made of.
BLOCK_BYTES = 4096

# From linux/falloc.h.
_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02

_libc = ctypes.CDLL(None, use_errno=True)
# With 64-bit offsets on every machine; a C library without the name has no others.
_fallocate = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
if _fallocate is not None:
    _fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


# How filesystems say that they cannot.
UNSUPPORTED = {errno.EOPNOTSUPP, errno.ENOSYS}


def punch(descriptor: int, offset: int, size_bytes: int) -> None:
    """Free a range of a file, which reads as zeros then; the file keeps its size.

    Raises:
        OSError: the filesystem cannot do that, or failed.
    """
    if _fallocate is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while _fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, size_bytes):
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))


def data_ranges(descriptor: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where between two offsets a file has data (start, stop), in order."""
    while start < stop:
        try:
            first = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole up to the end
                return
            raise
        if first >= stop:
            return
        start = min(stop, os.lseek(descriptor, first, os.SEEK_HOLE))
        yield first, start


def supported(directory: Path) -> bool:
    """Try out whether the filesystem of a directory makes holes and shows them."""
    with tempfile.TemporaryFile(dir=directory) as file:
        descriptor = file.fileno()
        try:
            os.pwrite(descriptor, bytes(3 * BLOCK_BYTES), 0)
            punch(descriptor, 0, BLOCK_BYTES)
            punch(descriptor, 2 * BLOCK_BYTES, BLOCK_BYTES)
            left = list(data_ranges(descriptor, 0, 3 * BLOCK_BYTES))
            punch(descriptor, BLOCK_BYTES, BLOCK_BYTES)
            nothing = list(data_ranges(descriptor, 0, 3 * BLOCK_BYTES))
        except OSError:
            return False
    return (left, nothing) == ([(BLOCK_BYTES, 2 * BLOCK_BYTES)], [])
