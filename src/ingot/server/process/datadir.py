"""The data directory as a whole: made when missing, and locked against a second server."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ingot.base.errors import ConflictError, Error

LOCK_FILE = "server.lock"


def prepare(data_dir: Path) -> None:
    """Create the directory (0700: it holds keys and everybody's objects) if it is missing.

    Raises:
        Error: it cannot be created, is no directory, or cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Error(f"cannot use {data_dir} as data directory: {error.strerror}") from error
    if not os.access(data_dir, os.R_OK | os.W_OK | os.X_OK):
        raise Error(
            f"the data directory {data_dir} is not readable and writable",
            hint="give it to the user that runs the server",
        )


def lock(data_dir: Path) -> int:
    """Take the directory for this server and the workers it forks; return the lock's descriptor.

    The lock lives as long as any process that inherited the descriptor, so a server that was
    killed frees it only when its last worker is gone too.

    Raises:
        ConflictError: another server has it.
    """
    path = data_dir / LOCK_FILE
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise ConflictError(
            f"another server (process {owner or 'unknown'}) uses the data directory {data_dir}",
            hint="stop it first, or give this server a directory of its own",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Keep servers off the directory for the block.

    Raises:
        ConflictError: a server has it.
    """
    descriptor = lock(data_dir)
    try:
        yield
    finally:
        os.close(descriptor)
