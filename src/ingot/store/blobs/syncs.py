"""Syncing files and folders to the device, and what follows when the device refuses."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ingot.base.atomic import fsync_directory
from ingot.store.errors import StoreFailedError, StoreFullError

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Syncs:
    """Makes files and folders durable.

    The first failure is final. The kernel may drop what it could not write and report success
    the next time (https://wiki.postgresql.org/wiki/Fsync_Errors), so that trying again would
    vouch for bytes that are on no device.

    Args:
        on_failure: called with the reason, from any thread.
    """

    def __init__(self, on_failure: Callable[[str], None]) -> None:
        self._on_failure = on_failure

    def file(self, descriptor: int) -> None:
        """Make a file's bytes durable.

        Raises:
            StoreFullError: the device turned out to be full; the file is to be dropped.
            StoreFailedError: the bytes may be lost.
        """
        with self._watched("a file"), full_device():
            os.fsync(descriptor)

    def folder(self, path: Path) -> None:
        """Make a folder's entries durable.

        Raises:
            StoreFailedError: the entries may be lost.
        """
        with self._watched(str(path)):
            fsync_directory(path)

    @contextlib.contextmanager
    def _watched(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = f"{what} cannot be synced: {error.strerror}"
            self._on_failure(reason)
            raise StoreFailedError(
                reason, hint="check the device, then restart the server"
            ) from error


@contextlib.contextmanager
def full_device() -> Iterator[None]:
    """Turn "no space" of the operating system into the store's error."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                "the device of the blobs is full", hint="free some space"
            ) from error
        raise
