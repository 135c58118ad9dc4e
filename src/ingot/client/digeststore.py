"""Remembers between runs which ETag a file's bytes have, for as long as the file is untouched."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingot.base.units import GIB
from ingot.client.entries import Stamp

_SCHEMA = """
CREATE TABLE IF NOT EXISTS etags (
  device INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL,
  modified_ns INTEGER NOT NULL,
  changed_ns INTEGER NOT NULL,
  etag TEXT NOT NULL,
  PRIMARY KEY (device, inode, parts)
) WITHOUT ROWID
"""
_FILE = "etags-1.sqlite"
# Some ten million files; whoever has more begins anew now and then.
_STORE_BYTES_MAX = 1 * GIB
_PENDING_MAX = 1000
_BUSY_TIMEOUT_S = 5.0


class DigestStore:
    """A table of ETags by file; a context manager, safe in several threads.

    It is a convenience: where it cannot be opened or written, everything is as unknown.

    Args:
        folder: where it is; made when needed.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._pending: list[tuple[int | str, ...]] = []
        self._connection: sqlite3.Connection | None = None
        with contextlib.suppress(sqlite3.Error, OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = folder / _FILE
            if path.exists() and path.stat().st_size > _STORE_BYTES_MAX:
                _drop(path)
            try:
                self._connection = _opened(path)
            except sqlite3.OperationalError:
                raise  # another process has it, or the disk is full
            except sqlite3.DatabaseError:
                # A power cut may leave it damaged: it would never be of use again.
                _drop(path)
                self._connection = _opened(path)

    def etags(self, asked: Sequence[tuple[Stamp, int]]) -> list[str | None]:
        """Return the ETags that were noted for files that look like these; None where none was.

        Args:
            asked: the file's looks, and how many parts the ETag is of; 0 for a plain MD5. Some
                hundred at most.
        """
        # One statement for many files: a statement for each takes five times as long.
        inodes: dict[tuple[int, int], list[int]] = {}
        for stamp, parts in asked:
            inodes.setdefault((stamp.device, parts), []).append(_signed(stamp.inode))
        known = {
            (device, parts, inode, *looks): etag
            for (device, parts), wanted in inodes.items()
            for inode, *looks, etag in self._rows(device, parts, wanted)
        }
        return [
            known.get((stamp.device, parts, _signed(stamp.inode), *stamp[2:]))
            for stamp, parts in asked
        ]

    def _rows(self, device: int, parts: int, inodes: Sequence[int]) -> list[tuple[Any, ...]]:
        places = ",".join("?" * len(inodes))
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                return self._connection.execute(
                    "SELECT inode, size_bytes, modified_ns, changed_ns, etag FROM etags"  # noqa: S608 # places only
                    f" WHERE device = ? AND parts = ? AND inode IN ({places})",
                    (_signed(device), parts, *inodes),
                ).fetchall()
        return []

    def note(self, stamp: Stamp, parts: int, etag: str) -> None:
        """Remember an ETag."""
        device, inode, *rest = stamp
        if max(map(abs, rest)) >= 1 << 63:
            return  # some file systems have times of other ages, and a table has no room for them
        with self._lock:
            self._pending.append((_signed(device), _signed(inode), parts, *rest, etag))
            if len(self._pending) >= _PENDING_MAX:
                self._write()

    def close(self) -> None:
        """Write what is pending, and end."""
        with self._lock:
            self._write()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _write(self) -> None:
        rows, self._pending = self._pending, []
        if self._connection is None or not rows:
            return
        with contextlib.suppress(sqlite3.Error), self._connection:
            self._connection.executemany("REPLACE INTO etags VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
    try:
        path.chmod(0o600)
        # A lost tail costs a file's reading, so nothing waits for the device.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _drop(path: Path) -> None:
    # A log that is left behind would be played into the next table.
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _signed(number: int) -> int:
    # Inodes of some file systems use all 64 bits; SQLite's integers have a sign.
    return number - (1 << 64) if number >= 1 << 63 else number
