"""The catalog in one SQLite file: reads inline, writes through group commit.

The tables are specified in `docs/explanation/on-disk-format.md`.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ingot.base import failpoints
from ingot.base.atomic import fsync_directory
from ingot.base.units import MIB
from ingot.store.catalog import statements
from ingot.store.catalog.committer import Commit, Committer
from ingot.store.catalog.contract import (
    Add,
    CeilingError,
    Check,
    CommitConflictError,
    Displaced,
    EmptyRange,
    Prior,
    Put,
    assert_valid,
    behind,
)
from ingot.store.catalog.counters import added
from ingot.store.catalog.logwatch import LogWatch
from ingot.store.catalog.schema import opening_error, prepare
from ingot.store.catalog.transaction import Transaction
from ingot.store.catalog.turnstile import Turnstile
from ingot.store.errors import (
    CatalogDamagedError,
    RecordDamagedError,
    StoreFailedError,
    StoreFullError,
)
from ingot.store.space import Space

CATALOG_FILE = "catalog.sqlite"

PAGE_BYTES = 4096
# Of the log, before each page.
FRAME_HEADER_BYTES = 24
WRITER_CACHE_BYTES = 32 * MIB
# The kernel holds the file's pages already, and a page of its costs less than a fresh one of ours.
READER_CACHE_BYTES = 4 * MIB
WAL_BYTES_KEPT = 64 * MIB
CHECKPOINT_PAGES = 8000
# Small devices have a small log.
CHECKPOINT_PAGES_MIN = 16
# What a step gives back to the device, and what part of the file may be free pages.
GIVE_BACK_PAGES = 256
FREE_FRACTION = 10
# A commit may split pages beside those that its bytes fill.
PAGES_PER_COMMIT = 8
BUSY_TIMEOUT_S = 30.0
STATEMENTS_CACHED = 64

_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL = StoreFullError("the catalog's device is full", hint="free some space")


_Parameters = tuple[object, ...] | dict[str, object]


class SqliteCatalog:
    """A `Catalog` in `directory`; any number of processes may have it open."""

    def __init__(self, directory: Path) -> None:
        """Open the catalog, creating it if the directory holds none.

        Raises:
            StoreFormatError: the file is of a newer version, or no catalog.
            CatalogDamagedError: SQLite finds it damaged.
            StoreFailedError: an I/O error.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._space = Space(directory)
        self._path = directory / CATALOG_FILE
        self._turnstile = Turnstile(directory)
        self._readers = threading.local()
        self._open_readers: list[sqlite3.Connection] = []
        self._readers_lock = threading.Lock()
        try:
            with self._turnstile:
                self._writer = self._prepare(directory)
        except BaseException:
            self._turnstile.close()
            raise
        log_bytes = self._checkpoint_pages() * (PAGE_BYTES + FRAME_HEADER_BYTES)
        self._log = LogWatch(self._path.with_name(f"{CATALOG_FILE}-wal"), log_bytes)
        self._committer = Committer(self._write, self._close_writer)

    @property
    def failure(self) -> str | None:
        """Say why commits are no longer acknowledged."""
        return self._committer.failure

    def get(self, partition: str, key: bytes) -> bytes | None:
        """Return a key's value."""
        rows: list[tuple[bytes]] = self._select(statements.GET, (partition, key))
        return rows[0][0] if rows else None

    def get_with_attachment(self, partition: str, key: bytes) -> tuple[bytes, bytes | None] | None:
        """Return a key's value and attachment from one moment."""
        rows: list[tuple[bytes, bytes | None]]
        rows = self._select(statements.GET_WITH_ATTACHMENT, (partition, key))
        return rows[0] if rows else None

    def get_beside(
        self, partition: str, key: bytes, other: bytes
    ) -> tuple[bytes, bytes | None, bytes | None] | None:
        """Return a key's value and attachment, and another key's value, from one moment."""
        rows: list[tuple[bytes, bytes | None, bytes | None]]
        rows = self._select(statements.GET_BESIDE, (partition, other, partition, key))
        return rows[0] if rows else None

    def scan(
        self, partition: str, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return a range of keys and values."""
        bounds = (partition, start, stop, limit) if stop else (partition, start, limit)
        return self._select(statements.SCANS[bool(stop), reverse], bounds)

    def skim(
        self, partition: str, start: bytes, stop: bytes, *, skip: int, delimiter: bytes, limit: int
    ) -> list[tuple[bytes, bytes | None]]:
        """Return the first key of each group."""
        parameters = {
            "partition": partition,
            "start": start,
            "stop": stop,
            "skip": skip,
            "delimiter": delimiter,
            "behind": behind(delimiter),
            "limit": limit,
        }
        return self._select(statements.SKIM, parameters)

    def survey(
        self, partition: str, ranges: Sequence[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield what is in some ranges at one moment: one read transaction."""
        scan = statements.SCANS[True, False]
        try:
            with contextlib.closing(self._connect(READER_CACHE_BYTES)) as connection:
                connection.execute("PRAGMA query_only = ON")
                connection.execute("BEGIN")
                for start, stop in ranges:
                    yield from connection.execute(scan, (partition, start, stop, -1))
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def partitions(self) -> Iterator[str]:
        """Yield the partitions that hold keys."""
        last = ""
        while rows := self._select(statements.NEXT_PARTITION, (last,)):
            last = rows[0][0]
            yield last

    def problems(self) -> list[str]:
        """Return what SQLite finds wrong with the file; it reads all of it."""
        rows: list[tuple[str]] = self._select(statements.INTEGRITY_CHECK, ())
        return [text for (text,) in rows if text != "ok"]

    def give_back(self) -> bool:
        """Shorten the file by a step if much of it is free pages, or if the device needs room.

        Files that were made before they could be shortened stay as long as they are.
        """
        pages = max(1, min(GIVE_BACK_PAGES, self._space.log_bytes_max() // PAGE_BYTES // 2))
        try:
            with (
                contextlib.closing(Turnstile(self._path.parent)) as turnstile,
                contextlib.closing(self._connect(WRITER_CACHE_BYTES)) as connection,
                turnstile,
            ):
                return self._shorten(connection, pages)
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                return False
            self._committer.fail(str(error))
            raise StoreFailedError(f"{self._path} cannot be shortened: {error}") from error

    def _shorten(self, connection: sqlite3.Connection, pages: int) -> bool:
        free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        total: int = connection.execute("PRAGMA page_count").fetchone()[0]
        kept = 0 if self._space.is_scarce() else max(GIVE_BACK_PAGES, total // FREE_FRACTION)
        if free <= kept:
            return False
        # Each step of the statement frees a page; execute() makes one step.
        connection.executescript(f"PRAGMA incremental_vacuum({pages})")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        left: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
        return left < free

    def commit(
        self,
        partition: str,
        *,
        checks: Sequence[Check | EmptyRange] = (),
        puts: Sequence[Put] = (),
        deletes: Sequence[bytes] = (),
        adds: Sequence[Add] = (),
        prior: Prior | None = None,
        displaced: Displaced | None = None,
    ) -> Awaitable[None]:
        """Queue a commit; the awaitable returns when it is durable."""
        assert_valid(puts, deletes, adds)
        return self._committer.submit(
            Commit(partition, checks, puts, deletes, adds=adds, prior=prior, displaced=displaced)
        )

    def fail(self, reason: str) -> None:
        """Acknowledge nothing from now on."""
        self._committer.fail(reason)

    def close(self) -> None:
        """Finish waiting commits and close the file."""
        self._committer.close()
        with self._readers_lock:
            readers, self._open_readers = self._open_readers, []
        for reader in readers:
            reader.close()

    def _prepare(self, directory: Path) -> sqlite3.Connection:
        try:
            writer = self._connect(WRITER_CACHE_BYTES)
            try:
                prepare(writer, self._path)
            except BaseException:
                writer.close()
                raise
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise opening_error(self._path, error) from error
        # SQLite syncs the directory for the journal it deletes, not for a new database.
        fsync_directory(directory)
        return writer

    def _connect(self, cache_bytes: int) -> sqlite3.Connection:
        is_new = not self._path.exists() or self._path.stat().st_size == 0
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS_CACHED,
        )
        try:
            if is_new:
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
                # Pages that become free can be given back to the device. To say so again would
                # write to the file, even to one that is then refused.
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            # Some builds overwrite what is deleted, which makes a log of each delete. Whoever
            # can read the file can read the objects as well.
            connection.execute("PRAGMA secure_delete = OFF")
            connection.execute(f"PRAGMA cache_size = -{cache_bytes // 1024}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {self._checkpoint_pages()}")
            kept_bytes = min(WAL_BYTES_KEPT, 2 * self._space.log_bytes_max())
            connection.execute(f"PRAGMA journal_size_limit = {kept_bytes}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _checkpoint_pages(self) -> int:
        """Return how long the log may be: what it holds may need as much room again in the file."""
        pages = self._space.log_bytes_max() // PAGE_BYTES
        return max(CHECKPOINT_PAGES_MIN, min(CHECKPOINT_PAGES, pages))

    def _select(self, statement: str, parameters: _Parameters) -> list[Any]:
        try:
            # fetchall ends the read transaction at once: an open one would hold up checkpoints.
            return self._reader().execute(statement, parameters).fetchall()
        except UnicodeDecodeError as error:
            self._drop_reader()
            raise CatalogDamagedError(f"{self._path} is damaged: {error}") from error
        except sqlite3.Error as error:
            self._drop_reader()
            raise self._unreadable(error) from error

    def _unreadable(self, error: sqlite3.Error) -> CatalogDamagedError | StoreFailedError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            return CatalogDamagedError(f"{self._path} is damaged: {error}")
        return StoreFailedError(f"{self._path} cannot be read: {error}")

    def _reader(self) -> sqlite3.Connection:
        """Return this thread's connection: SQLite serialises the users of a shared one."""
        try:
            reader: sqlite3.Connection = self._readers.connection
        except AttributeError:
            reader = self._readers.connection = self._connect(READER_CACHE_BYTES)
            reader.execute("PRAGMA query_only = ON")
            with self._readers_lock:
                self._open_readers.append(reader)
        return reader

    def _drop_reader(self) -> None:
        """Forget this thread's connection: pages that were read wrong may be in its cache."""
        reader: sqlite3.Connection | None = getattr(self._readers, "connection", None)
        if reader is not None:
            del self._readers.connection
            with self._readers_lock, contextlib.suppress(ValueError):
                self._open_readers.remove(reader)
            reader.close()

    def _write(self, group: Sequence[Commit], gather: Callable[[], None]) -> list[Exception | None]:
        """Write a group in one transaction; see `WriteGroup`."""
        try:
            with self._turnstile:
                gather()
                if self._space.only_for_deletions():
                    # Deletions grow the log before they free anything: it must begin anew.
                    self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                outcomes = self._transact(group)
                self._log.look(self._writer)
                return outcomes
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                return [_FULL] * len(group)
            # After a failed sync the kernel may drop the dirty pages and report success the next
            # time, so trying again would acknowledge what is not on the device.
            raise

    def _refusal(self) -> Callable[[Commit], bool]:
        """Return what tells whether there is no room for a commit."""
        if not self._space.only_for_deletions():
            return lambda commit: False
        # Pages that are free in the file need no room on the device.
        free_pages: int = self._writer.execute("PRAGMA freelist_count").fetchone()[0]
        spare_bytes = free_pages * PAGE_BYTES

        def refuses(commit: Commit) -> bool:
            nonlocal spare_bytes
            if not commit.grows:
                return False
            spare_bytes -= commit.catalog_bytes + PAGES_PER_COMMIT * PAGE_BYTES
            return spare_bytes < 0

        return refuses

    def _close_writer(self) -> None:
        self._writer.close()
        self._turnstile.close()

    def _transact(self, group: Sequence[Commit]) -> list[Exception | None]:
        connection = self._writer
        connection.execute("BEGIN IMMEDIATE")
        try:
            transaction = Transaction(connection)
            transaction.look_ahead(group)
            refuses = self._refusal()
            outcomes = [
                _FULL if refuses(commit) else _apply(transaction, commit) for commit in group
            ]
            transaction.flush()
            failpoints.reach("catalog.flushed")
            connection.execute("COMMIT")
            failpoints.reach("catalog.committed")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return outcomes


def _apply(transaction: Transaction, commit: Commit) -> Exception | None:
    partition = commit.partition
    for check in commit.checks:
        if not transaction.holds(partition, check):
            return CommitConflictError(f"a key of {partition} changed meanwhile")
    try:
        sums = [
            Put(add.key, added(transaction.value(partition, add.key), add)) for add in commit.adds
        ]
        if commit.displaced is not None:
            transaction.displace(partition, commit.keys, commit.displaced)
    except (CeilingError, CommitConflictError, RecordDamagedError) as error:
        return error
    for put in (*commit.puts, *sums):
        transaction.put(partition, put)
    for key in commit.deletes:
        transaction.delete(partition, key)
    return None
