"""Reading and writing all that was asked for, where the kernel does less at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

# What one call takes.
_PIECES_MAX = os.sysconf("SC_IOV_MAX")
# copy_file_range(2) works within a filesystem, and between some.
_NO_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}


def pread(descriptor: int, size_bytes: int, offset: int) -> bytes:
    """Read that much, or up to the end of the file; the kernel may return less at a signal."""
    data = os.pread(descriptor, size_bytes, offset)
    while len(data) < size_bytes:
        more = os.pread(descriptor, size_bytes - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def write(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write all of it where the file's position is."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def pwritev(descriptor: int, pieces: Sequence[bytes], offset: int) -> None:
    """Write all pieces, one after the other, from an offset on."""
    left: list[bytes | memoryview] = list(pieces)
    while left:
        written_bytes = os.pwritev(descriptor, left[:_PIECES_MAX], offset)
        offset += written_bytes
        while left and written_bytes >= len(left[0]):
            written_bytes -= len(left.pop(0))
        if written_bytes:
            left[0] = memoryview(left[0])[written_bytes:]


def copy_range(source: int, target: int, offset: int, size_bytes: int) -> None:
    """Copy a range to the same place of another file, or as much of it as there is."""
    stop = offset + size_bytes
    try:
        while copied_bytes := os.copy_file_range(source, target, stop - offset, offset, offset):
            offset += copied_bytes
    except OSError as error:
        if error.errno not in _NO_COPY:
            raise
        pwritev(target, [pread(source, stop - offset, offset)], offset)
