"""A fair lock between the processes that write one catalog."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Turnstile:
    """Lets one holder in at a time, and nobody twice while another one waits.

    The kernel does not hand a released `flock` to the waiter: whoever runs first gets it, which
    is nearly always the process that has just released it. So there are two locks: one waits for
    the writer's lock while holding the waiting room, and the last writer finds the room taken.

    Args:
        directory: where the two lock files are; they are created and never removed.
    """

    def __init__(self, directory: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._waiting = os.open(directory / "waiting.lock", flags, 0o600)
        try:
            self._writing = os.open(directory / "writing.lock", flags, 0o600)
        except BaseException:
            os.close(self._waiting)
            raise

    def __enter__(self) -> None:
        fcntl.flock(self._waiting, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._writing, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._waiting, fcntl.LOCK_UN)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        fcntl.flock(self._writing, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release the files; the lock must not be held."""
        os.close(self._waiting)
        os.close(self._writing)
