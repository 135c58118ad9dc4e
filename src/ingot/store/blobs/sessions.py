"""Sessions: who may still commit a blob, told by a lock that dies with its process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ingot.base.atomic import fsync_directory


class Sessions:
    """The sessions of one directory of blobs; each is a locked, empty file.

    Args:
        directory: where the session files are; created when missing.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory = directory
        self.own, self._lock = self._begin()

    def ended(self) -> list[str]:
        """Return the sessions whose process is gone."""
        ended = []
        for session in sorted(os.listdir(self._directory)):
            with self.claim(session) as claimed:
                if claimed:
                    ended.append(session)
        return ended

    @contextlib.contextmanager
    def claim(self, session: str) -> Iterator[bool]:
        """Lock an ended session; yields False when its process lives or somebody else has it."""
        try:
            descriptor = os.open(self._directory / session, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            yield False
            return
        try:
            yield _try_lock(descriptor) and self._exists(session)
        finally:
            os.close(descriptor)

    def settle(self, session: str) -> None:
        """Forget a claimed session, durably."""
        os.unlink(self._directory / session)
        fsync_directory(self._directory)

    @property
    def is_open(self) -> bool:
        """Whether the own session still goes on."""
        return self._lock >= 0

    def close(self) -> None:
        """End the own session; its file stays until somebody settles it. Idempotent."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _begin(self) -> tuple[str, int]:
        while True:
            session = secrets.token_hex(6)
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(self._directory / session, flags, 0o600)
            # Between the creation and the lock somebody may take the session for an ended one,
            # settle it and so remove the file; then this one begins anew.
            if _try_lock(descriptor) and self._exists(session):
                fsync_directory(self._directory)
                return session, descriptor
            os.close(descriptor)

    def _exists(self, session: str) -> bool:
        return (self._directory / session).exists()


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
