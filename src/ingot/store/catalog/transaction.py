"""A group's writes inside one SQLite transaction: gathered in memory, flushed in few statements.

Every SQLite step gives up the interpreter lock and must win it back from a busy event loop; so
a group costs a handful of statements with many rows, not a handful per commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from ingot.store.catalog.committer import Commit
from ingot.store.catalog.contract import Check, Displaced, EmptyRange, Put, assert_valid
from ingot.store.catalog.statements import GET

# How many rows one statement carries; few sizes, so that the prepared statements are reused.
_ROWS = (64, 16, 4, 1)

_ANY = "SELECT 1 FROM record WHERE partition = ? AND key >= ? AND key < ? LIMIT 1"
_LAST_ATTACHMENT = "SELECT coalesce(max(id), 0) FROM attachment"


def _by_rows(head: str, row: str, tail: str = "") -> dict[int, str]:
    return {rows: f"{head} {', '.join([row] * rows)} {tail}" for rows in _ROWS}


_PUT_ATTACHMENTS = _by_rows("INSERT INTO attachment (id, bytes) VALUES", "(?, ?)")
_PUTS = _by_rows(
    "INSERT INTO record (partition, key, value, attachment_id) VALUES",
    "(?, ?, ?, ?)",
    "ON CONFLICT (partition, key) DO UPDATE"
    " SET value = excluded.value, attachment_id = excluded.attachment_id",
)
# By one partition: SQLite does not search the index for pairs of columns, it reads every row.
_DELETES = _by_rows("DELETE FROM record WHERE partition = ? AND key IN (", "?", ")")
# Yields the keys that do not hold what is expected, and what they hold: mostly none, so that a
# group's checks are a step or two and no value is copied.
_DIFFERENCES = _by_rows(
    "SELECT wanted.column1, record.value FROM (VALUES",
    "(?, ?)",
    ") AS wanted LEFT JOIN record ON record.partition = ? AND record.key = wanted.column1"
    " WHERE record.value IS NOT wanted.column2",
)
_VALUES = _by_rows("SELECT key, value FROM record WHERE partition = ? AND key IN (", "?", ")")
_Address = tuple[str, bytes]


class Transaction:
    """The state of the catalog as the commits of one group see it, one after the other."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[_Address, bytes | None] = {}
        self._puts: dict[_Address, Put] = {}
        self._deletes: dict[_Address, None] = {}
        self._displaced: dict[tuple[str, Displaced], list[Any]] = {}

    def look_ahead(self, group: Sequence[Commit]) -> None:
        """Read what the commits of the group ask for; call it once, before anything else."""
        wanted: dict[str, dict[bytes, bytes | None]] = {}
        doomed: dict[str, dict[bytes, None]] = {}
        for commit in group:
            for check in commit.checks:
                if isinstance(check, Check):
                    wanted.setdefault(commit.partition, {}).setdefault(check.key, check.expected)
            if commit.displaced is not None:
                doomed.setdefault(commit.partition, {}).update(dict.fromkeys(commit.keys))
        self._compare(wanted)
        self._read(doomed)

    def _compare(self, wanted: dict[str, dict[bytes, bytes | None]]) -> None:
        """Find out which keys do not hold what is expected of them."""
        for partition, expected in wanted.items():
            for key, value in expected.items():
                self._known[partition, key] = value
            values = [value for pair in expected.items() for value in pair]
            for key, value in self._execute(_DIFFERENCES, 2, values, last=(partition,)):
                self._known[partition, key] = value

    def _read(self, doomed: dict[str, dict[bytes, None]]) -> None:
        """Find out what keys hold."""
        for partition, keys in doomed.items():
            for key in keys:
                self._known[partition, key] = None
            for key, value in self._execute(_VALUES, 1, [*keys], first=(partition,)):
                self._known[partition, key] = value

    def holds(self, partition: str, check: Check | EmptyRange) -> bool:
        """Tell whether a check holds now; `look_ahead` knew of it."""
        if isinstance(check, Check):
            return self._known[partition, check.key] == check.expected
        if any(
            at == partition and check.start <= key < check.stop
            for at, key in (*self._puts, *self._deletes)
        ):
            self.flush()
        bounds = (partition, check.start, check.stop)
        return self._connection.execute(_ANY, bounds).fetchone() is None

    def value(self, partition: str, key: bytes) -> bytes | None:
        """Return what a key holds now, whether or not `look_ahead` knew of it."""
        address = (partition, key)
        if address not in self._known:
            row = self._connection.execute(GET, address).fetchone()
            self._known[address] = None if row is None else row[0]
        return self._known[address]

    def displace(self, partition: str, keys: Sequence[bytes], displaced: Displaced) -> None:
        """Let a commit see what it takes away, before it does; `look_ahead` knew of it.

        Raises:
            CommitConflictError: it does not want to.
        """
        values = [(key, self._known[partition, key]) for key in keys]
        looks = [displaced.look(key, value) for key, value in values if value is not None]
        if looks:
            self._displaced.setdefault((partition, displaced), []).extend(looks)

    def put(self, partition: str, put: Put) -> None:
        """Write a key."""
        address = (partition, put.key)
        self._known[address] = put.value
        self._puts[address] = put
        self._deletes.pop(address, None)

    def delete(self, partition: str, key: bytes) -> None:
        """Remove a key."""
        address = (partition, key)
        self._known[address] = None
        self._deletes[address] = None
        self._puts.pop(address, None)

    def flush(self) -> None:
        """Send what was gathered to SQLite."""
        for (partition, displaced), looks in self._displaced.items():
            puts = displaced.puts(looks)
            assert_valid(puts, ())
            for put in puts:
                self.put(partition, put)
        self._displaced.clear()
        if self._deletes:
            by_partition: dict[str, list[bytes]] = {}
            for partition, key in self._deletes:
                by_partition.setdefault(partition, []).append(key)
            for partition, keys in by_partition.items():
                self._execute(_DELETES, 1, keys, first=(partition,))
            self._deletes.clear()
        if self._puts:
            self._flush_puts()
            self._puts.clear()

    def _flush_puts(self) -> None:
        (attachment_id,) = self._connection.execute(_LAST_ATTACHMENT).fetchone()
        attachments: list[object] = []
        records: list[object] = []
        for (partition, key), put in self._puts.items():
            if put.attachment is None:
                records += (partition, key, put.value, None)
            else:
                attachment_id += 1
                attachments += (attachment_id, put.attachment)
                records += (partition, key, put.value, attachment_id)
        self._execute(_PUT_ATTACHMENTS, 2, attachments)
        self._execute(_PUTS, 4, records)

    def _execute(
        self,
        statements: dict[int, str],
        width: int,
        values: Sequence[object],
        *,
        first: tuple[object, ...] = (),
        last: tuple[object, ...] = (),
    ) -> list[tuple[bytes, bytes | None]]:
        """Run a statement over all rows (`width` values each), in the largest steps there are.

        Returns what the statements yield.
        """
        found: list[tuple[bytes, bytes | None]] = []
        offset = 0
        for rows in _ROWS:
            step = rows * width
            while offset + step <= len(values):
                parameters = (*first, *values[offset : offset + step], *last)
                found += self._connection.execute(statements[rows], parameters)
                offset += step
        return found
