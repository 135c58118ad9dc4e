"""Files that appear whole or not at all, and survive a power cut once written."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_NAME_BYTES_KEPT = 128
_RANDOM_BYTES = 6
# A name may have line breaks, too.
_TEMPORARY = re.compile(rf"\..+\.[0-9a-f]{{{2 * _RANDOM_BYTES}}}\.tmp", re.DOTALL)
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1


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


def sync_file_system(path: Path) -> None:
    """Make all that was written to the file system of a folder durable.

    One call for many files: each file's own fsync would wait for the device twice.

    Raises:
        OSError: the folder cannot be opened, or the device failed.
    """
    import ctypes

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def atomic_descriptor(
    path: str, *, mode: int | None, durable: bool, replaces: bool = True
) -> Iterator[int]:
    """Yield the descriptor of a file that takes the name `path` when the block ends.

    It vanishes if the block raises.

    Args:
        path: the final name; its directory must exist.
        mode: permission bits; None for those that the umask leaves of 0666.
        durable: whether bytes and name are on the device when this returns; if not, the caller
            sees to it (`sync_file_system`).
        replaces: whether it takes the place of what has the name.

    Raises:
        FileExistsError: something has the name, and is not to be replaced.
        OSError: the file cannot be written.
    """
    folder, slash, name = path.rpartition("/")
    # A name may be as long as the file system allows, so only its beginning is taken.
    beginning = name if len(name) < _NAME_BYTES_KEPT // 4 else _beginning(name)
    temporary = f"{folder}{slash}.{beginning}.{os.urandom(_RANDOM_BYTES).hex()}.tmp"
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, 0o666 if mode is None else 0o600)
    try:
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            yield descriptor
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replaces:
            os.rename(temporary, path)
        else:
            rename_exclusively(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        fsync_directory(Path(folder or slash))


def is_temporary(name: str) -> bool:
    """Tell whether a file of this name, without its folder, is one that is not whole yet."""
    return name.endswith(".tmp") and _TEMPORARY.fullmatch(name) is not None


def rename_exclusively(old: str, new: str) -> None:
    """Give a file a name that nothing has: also none that the file system takes for the same.

    Raises:
        FileExistsError: something has the name.
        OSError: it cannot be renamed.
    """
    import ctypes

    rename = _renameat2()
    code = errno.ENOSYS
    if rename is not None:
        if not rename(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), _RENAME_NOREPLACE):
            return
        code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS}:
        # This file system cannot: it is looked for, and replaced only in a race.
        if not os.path.lexists(new):
            os.rename(old, new)
            return
        code = errno.EEXIST
    raise OSError(code, os.strerror(code), new)


@functools.cache
def _renameat2() -> Any:
    """Return the C library's function, or None; looking it up for each file cost more than it."""
    import ctypes

    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _beginning(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_NAME_BYTES_KEPT])


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file that takes the name `path` when the block ends, and vanishes if it raises.

    The bytes and the name are durable (fsync of file and directory) when this returns.

    Args:
        path: the final name; its directory must exist.
        mode: permission bits, set before the first byte is written (umask does not apply).
    """
    with (
        atomic_descriptor(str(path), mode=mode, durable=True) as descriptor,
        os.fdopen(descriptor, "wb", closefd=False) as file,
    ):
        yield file


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write `data` to `path` through `atomic_writer`."""
    with atomic_writer(path, mode=mode) as file:
        file.write(data)
