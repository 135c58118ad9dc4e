"""The tables of a catalog's file, and the version of them.

They are specified in `docs/explanation/on-disk-format.md`.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ingot.base.errors import Error
from ingot.store.errors import CatalogDamagedError, StoreFailedError, StoreFormatError

# "INGO": tells a catalog from any other SQLite file.
APPLICATION_ID = 0x494E474F
SCHEMA_VERSION = 3

_SCHEMA = """
CREATE TABLE attachment (
  id INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
);
CREATE TABLE record (
  partition TEXT NOT NULL,
  key BLOB NOT NULL,
  value BLOB NOT NULL,
  attachment_id INTEGER,
  PRIMARY KEY (partition, key)
) WITHOUT ROWID;
CREATE TRIGGER record_replaced AFTER UPDATE ON record WHEN old.attachment_id IS NOT NULL
BEGIN DELETE FROM attachment WHERE id = old.attachment_id; END;
CREATE TRIGGER record_deleted AFTER DELETE ON record WHEN old.attachment_id IS NOT NULL
BEGIN DELETE FROM attachment WHERE id = old.attachment_id; END;
"""


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new file; raise the version of an older one.

    Raises:
        StoreFormatError: the file is of a newer version, or no catalog.
        sqlite3.Error: it cannot be read or written.
    """
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if (application_id, version) == (0, 0):
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if tables:
            raise StoreFormatError(f"{path} is no catalog of Ingot")
        connection.executescript(
            f"BEGIN; PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {SCHEMA_VERSION}; {_SCHEMA} COMMIT;"
        )
    elif application_id != APPLICATION_ID:
        raise StoreFormatError(f"{path} is no catalog of Ingot")
    elif version < SCHEMA_VERSION:
        # Versions brought new keys and no other tables: what is there is good as it is.
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif version > SCHEMA_VERSION:
        raise StoreFormatError(
            f"{path} has format {version}; this version reads up to {SCHEMA_VERSION}",
            hint="use the version of Ingot that wrote it, or a newer one",
        )


def opening_error(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> Error:
    """Return the store's error for what SQLite says of a file that it cannot open."""
    message = f"{path} cannot be opened: {error}"
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return StoreFormatError(message)
    # A message that quotes a damaged schema may be no text.
    if code == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError):
        return CatalogDamagedError(message)
    return StoreFailedError(message, hint="check the device, then start again")
