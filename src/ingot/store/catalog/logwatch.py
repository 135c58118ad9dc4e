"""Finding out that the catalog's log is not emptied any more.

SQLite moves what is in the log to the file when a commit makes the log long enough, and keeps quiet
when that fails: the log stays, so nothing is lost, and the next commit tries again. But if the file
cannot be written for good, the log grows until the device is full.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class LogWatch:
    """Empties a log that has grown much longer than it should, to hear why it was not.

    Args:
        log: the log's path.
        limit_bytes: at this length SQLite empties it.
    """

    def __init__(self, log: Path, limit_bytes: int) -> None:
        self._log = log
        self._limit_bytes = limit_bytes
        self._noticed_bytes = limit_bytes

    def look(self, connection: sqlite3.Connection) -> None:
        """Do nothing unless the log has grown by its limit since it was last noticed.

        Raises:
            sqlite3.Error: it cannot be emptied, and not because the device is full or somebody
                reads.
            OSError: there is no log.
        """
        size_bytes = os.stat(self._log).st_size
        if size_bytes < self._noticed_bytes:
            self._noticed_bytes = max(size_bytes, self._limit_bytes)
        elif size_bytes >= self._noticed_bytes + self._limit_bytes:
            self._noticed_bytes = size_bytes
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                    raise
