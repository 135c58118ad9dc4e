"""Writing large files past the page cache: it costs a copy, and the wait of the sync behind it."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from typing import Any

from ingot.base.units import KIB, MIB

BUFFER_BYTES = 1 * MIB
# Offset, length and memory of a direct write are multiples of it; no file system in use wants more.
BLOCK_BYTES = 4 * KIB
# What the processor maps as one piece. Memory of single pages makes the device's requests twice as
# many, and a fifth slower (docs/decisions/0029).
_HUGE_PAGE_BYTES = 2 * MIB
# From linux/magic.h.
_FAT = 0x4D44
_STATFS_BYTES = 256
# What says that a file system cannot reserve, not that it has no room.
_CANNOT_RESERVE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EINTR})


# The other part of a huge page of which one part was handed out.
_spare: list[memoryview] = []
_spare_lock = threading.Lock()


def aligned_buffer() -> memoryview:
    """Return `BUFFER_BYTES` of memory that direct writes take; fresh memory is costly: keep it."""
    with _spare_lock:
        if not _spare:
            page = _huge_page()
            _spare.extend(
                page[start : start + BUFFER_BYTES] for start in range(0, len(page), BUFFER_BYTES)
            )
        return _spare.pop()


def reserve(descriptor: int, size_bytes: int) -> None:
    """Make a new file that long, in one stretch where there is one, if that costs no writing.

    Raises:
        OSError: there is no room.
    """
    code = _fallocate(descriptor, size_bytes)
    if code and code not in _CANNOT_RESERVE:
        raise OSError(code, os.strerror(code))


class DirectWriter:
    """Writes at any place of an open file, in any order and from several threads.

    What starts and ends on a block goes past the page cache, where the file system can that; all
    else goes through it.

    Args:
        descriptor: of the file; it stays the caller's.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._direct: int | None = None
        # A descriptor of its own: the flag is one of the opened file, not of a write.
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC
            self._direct = os.open(f"/proc/self/fd/{descriptor}", flags)
        self.is_direct = self._direct is not None

    def write(self, block: memoryview, offset: int) -> None:
        """Write all of a block, which begins where an aligned buffer does.

        Raises:
            OSError: the device refused some.
        """
        while self.is_direct and not offset % BLOCK_BYTES and len(block) >= BLOCK_BYTES:
            written = self._write_directly(block[: len(block) // BLOCK_BYTES * BLOCK_BYTES], offset)
            block, offset = block[written:], offset + written
        write_all(self._descriptor, block, offset)

    def _write_directly(self, blocks: memoryview, offset: int) -> int:
        assert self._direct is not None
        try:
            return os.pwrite(self._direct, blocks, offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            self.is_direct = False  # the device's blocks are larger than ours
            return 0

    def close(self) -> None:
        """Let go of the file."""
        if self._direct is not None:
            os.close(self._direct)


def write_all(descriptor: int, block: memoryview, offset: int) -> None:
    """Write all of a block at some place of a file.

    Raises:
        OSError: the device refused some.
    """
    while block:
        written = os.pwrite(descriptor, block, offset)
        block, offset = block[written:], offset + written


def _huge_page() -> memoryview:
    """Map a huge page, or as many single ones where the kernel has none."""
    import ctypes

    # Twice the size has an aligned page in it; what is never touched takes no memory.
    mapping = mmap.mmap(-1, 2 * _HUGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):
        mapping.madvise(mmap.MADV_HUGEPAGE)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(mapping)) % _HUGE_PAGE_BYTES
    return memoryview(mapping)[start : start + _HUGE_PAGE_BYTES]


def _fallocate(descriptor: int, size_bytes: int) -> int:
    import ctypes

    # Not `os.posix_fallocate`, which writes into every block where the file system cannot. FAT
    # can, and does just that.
    library = ctypes.CDLL(None, use_errno=True)
    if _kind_of_file_system(library, descriptor) == _FAT:
        return errno.EOPNOTSUPP
    function = getattr(library, "fallocate64", None) or library.fallocate
    failed = function(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size_bytes))
    return ctypes.get_errno() if failed else 0


def _kind_of_file_system(library: Any, descriptor: int) -> int | None:
    import ctypes

    told = ctypes.create_string_buffer(_STATFS_BYTES)
    if library.fstatfs(descriptor, told):
        return None
    return ctypes.c_long.from_buffer(told).value
