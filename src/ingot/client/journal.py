"""Which large files were being uploaded: a killed command's successor goes on with them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingot.base.units import KIB
from ingot.s3client.multipart import StartedUpload

# Services drop unfinished uploads after a day (ours) or a week (what others are told to).
_KEPT_S = 7 * 24 * 3600
_ENTRY_BYTES_MAX = 64 * KIB

Identity = Mapping[str, str | int]


class Journal:
    """A folder with a file for each upload in the making.

    It is a convenience: where it cannot be written, uploads are made without it.

    Args:
        folder: where it is; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def entry(self, identity: Identity) -> Iterator[JournalEntry | None]:
        """Open the entry of one file and place; None if another process has it or it cannot be.

        Args:
            identity: all that must be the same for an upload to be gone on with.
        """
        name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        path = self._folder / f"{name}.json"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            yield None
            return
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield None
                return
            try:
                yield JournalEntry(descriptor, identity)
            finally:
                with contextlib.suppress(OSError):
                    if not os.fstat(descriptor).st_size:
                        path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def prune(self) -> None:
        """Drop entries whose uploads no service has any more."""
        with contextlib.suppress(OSError):
            for path in self._folder.glob("*.json"):
                if path.stat().st_mtime < time.time() - _KEPT_S:
                    path.unlink(missing_ok=True)


class JournalEntry:
    """The memory of one upload; its file is locked."""

    def __init__(self, descriptor: int, identity: Identity) -> None:
        self._descriptor = descriptor
        self._identity = dict(identity)

    def recall(self) -> StartedUpload | None:
        """Return the upload that was noted, if one was."""
        try:
            noted = json.loads(os.pread(self._descriptor, _ENTRY_BYTES_MAX, 0))
            return StartedUpload(str(noted["upload_id"]), bool(noted["sums_up"]))
        except (ValueError, KeyError, TypeError, OSError):
            return None  # it is empty, was cut short, or cannot be read

    def note(self, started: StartedUpload) -> None:
        """Remember an upload."""
        self.forget()
        noted = {**self._identity, "upload_id": started.upload_id, "sums_up": started.sums_up}
        with contextlib.suppress(OSError):  # a full disk costs the memory, not the upload
            os.pwrite(self._descriptor, json.dumps(noted).encode(), 0)

    def forget(self) -> None:
        """Forget it."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
