"""Copies of disk images that keep their holes, or share their blocks where the host can."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a file to one that does not exist yet, durably; only its owner may read the copy.

    Raises:
        FileExistsError: the target exists.
        OSError: reading or writing failed; the target is then incomplete.
    """
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if not _clone(reading, writing):
                _copy_data(reading, writing)
            os.fsync(writing)
        finally:
            os.close(writing)
    finally:
        os.close(reading)


def _clone(reading: int, writing: int) -> bool:
    """Share the blocks, if the file system can."""
    try:
        fcntl.ioctl(writing, _FICLONE, reading)
    except OSError:
        return False
    return True


def _copy_data(reading: int, writing: int) -> None:
    size_bytes = os.fstat(reading).st_size
    offset = 0
    while offset < size_bytes:
        try:
            begin = os.lseek(reading, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break  # nothing but a hole up to the end
            raise
        offset = os.lseek(reading, begin, os.SEEK_HOLE)
        while begin < offset:
            moved = os.copy_file_range(reading, writing, offset - begin, begin, begin)
            if moved == 0:
                raise OSError(errno.EIO, "the file became shorter while it was copied")
            begin += moved
    os.ftruncate(writing, size_bytes)
