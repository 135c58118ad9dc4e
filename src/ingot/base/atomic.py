"""Files that appear whole or not at all, and survive a power cut once written."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_NAME_BYTES_KEPT = 128


def fsync_directory(path: Path) -> None:
    """Make the directory's entries (new names, renames, removals) durable.

    Raises:
        OSError: the directory cannot be opened or synced.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file that takes the name `path` when the block ends, and vanishes if it raises.

    The bytes and the name are durable (fsync of file and directory) when this returns.

    Args:
        path: the final name; its directory must exist.
        mode: permission bits, set before the first byte is written (umask does not apply).
    """
    # A name may be as long as the file system allows, so only its beginning is taken.
    beginning = os.fsdecode(os.fsencode(path.name)[:_NAME_BYTES_KEPT])
    temporary = path.with_name(f".{beginning}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    fsync_directory(path.parent)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` through `atomic_writer`."""
    with atomic_writer(path, mode=mode) as file:
        file.write(data)
