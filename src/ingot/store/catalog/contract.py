"""What an ordered, durable metadata engine must do for the store; no engine and no domain here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from ingot.base.errors import ConflictError
from ingot.base.units import KIB, MIB

CATALOG_KEY_BYTES_MAX = 4 * KIB
VALUE_BYTES_MAX = 256 * KIB
ATTACHMENT_BYTES_MAX = 16 * MIB
PENDING_COMMITS_MAX = 16_384


class CommitConflictError(ConflictError):
    """A check of a commit no longer held; nothing of it was written. Read again and retry."""


class Check(msgspec.Struct, frozen=True, gc=False):
    """Demands that `key` holds exactly `expected` when the commit happens.

    Attributes:
        key: the key in the commit's partition.
        expected: the value as it was read, or `None` when the key must not exist.
    """

    key: bytes
    expected: bytes | None


class EmptyRange(msgspec.Struct, frozen=True, gc=False):
    """Demands that no key of `[start, stop)` exists when the commit happens."""

    start: bytes
    stop: bytes


class Put(msgspec.Struct, frozen=True, gc=False):
    """Writes a key.

    Attributes:
        key: the key in the commit's partition.
        value: what `get` and `scan` return; small, because scans read it.
        attachment: bytes that live and die with this value but that scans do not read
            (an inline body, a manifest of parts).
    """

    key: bytes
    value: bytes
    attachment: bytes | None = None


class CeilingError(ConflictError):
    """An `Add` of a commit would have passed its ceiling; nothing of it was written."""


class Add(msgspec.Struct, frozen=True, gc=False):
    """Adds to the numbers under a key, whatever they are by then; no key means zeros.

    Concurrent commits add to the same key without a conflict. `counters` reads the value.

    Attributes:
        key: the key in the commit's partition, which the commit neither puts nor deletes.
        amounts: what is added to each of the numbers.
        ceiling: the commit is refused if it makes the first number larger than this; one that
            does not make it larger never is. `None` for no ceiling.
    """

    key: bytes
    amounts: tuple[int, ...]
    ceiling: int | None = None


class Prior(Protocol):
    """Bytes elsewhere that the records of a commit name: they are to be durable before it."""

    @property
    def size_bytes(self) -> int:
        """How many bytes are to be written."""
        ...

    @property
    def seal_all(self) -> Callable[[Sequence[Any]], Sequence[Exception | None]]:
        """Makes those that are given durable together; blocking, idempotent.

        Returns, in order, `None` or why one cannot become durable.
        """
        ...


class Displaced(Protocol):
    """What follows from the values that commits replace or remove without having read them."""

    def look(self, key: bytes, value: bytes) -> Any:
        """Return what `puts` needs to know of a value; called for each, from any thread.

        Raises:
            CommitConflictError: the commit must not happen like this.
        """
        ...

    def puts(self, looks: Sequence[Any]) -> Sequence[Put]:
        """Return what is written together with the commits whose values were looked at."""
        ...


def assert_valid(puts: Sequence[Put], deletes: Sequence[bytes], adds: Sequence[Add] = ()) -> None:
    """Assert that a commit keeps to the contract; every implementation calls it."""
    for put in puts:
        assert put.key, "a key is never empty"
        assert b"\0" not in put.key, "a key never contains a NUL byte"
        assert len(put.key) <= CATALOG_KEY_BYTES_MAX, "a key is bounded"
        assert len(put.value) <= VALUE_BYTES_MAX, "a value is bounded"
        assert put.attachment is None or len(put.attachment) <= ATTACHMENT_BYTES_MAX
    if puts and deletes:
        assert not {put.key for put in puts}.intersection(deletes), "put and deleted"
    if adds:
        added = {add.key for add in adds}
        assert len(added) == len(adds), "added to twice"
        assert added.isdisjoint(deletes), "added to and deleted"
        assert added.isdisjoint(put.key for put in puts), "added to and put"


def behind(delimiter: bytes) -> bytes:
    """Return what is as long as a delimiter and sorts directly behind all that begins with it."""
    assert not delimiter.endswith(b"\xff")
    return delimiter[:-1] + bytes((delimiter[-1] + 1,))


class Catalog(Protocol):
    """An ordered map of bytes to bytes, cut into partitions.

    Keys are ordered bytewise, are never empty and never contain a NUL byte (RADOS cuts omap
    keys there without a word). Reads are blocking, short, and may be called from any thread;
    they see every commit that was acknowledged before they began, by any process. No process
    may fork after opening a catalog.
    """

    @property
    def failure(self) -> str | None:
        """Say why this catalog no longer acknowledges commits, `None` while it does."""
        ...

    def get(self, partition: str, key: bytes) -> bytes | None:
        """Return the value of a key, `None` when there is none."""
        ...

    def get_with_attachment(self, partition: str, key: bytes) -> tuple[bytes, bytes | None] | None:
        """Return a key's value and attachment as one commit wrote them, `None` if no such key."""
        ...

    def get_beside(
        self, partition: str, key: bytes, other: bytes
    ) -> tuple[bytes, bytes | None, bytes | None] | None:
        """Return what `get_with_attachment` does, and the value of another key at that moment.

        Args:
            partition: that of both keys.
            key: the key; nothing is returned if there is no such key.
            other: the other one, whose value is `None` if it does not exist.
        """
        ...

    def scan(
        self, partition: str, start: bytes, stop: bytes, *, limit: int, reverse: bool = False
    ) -> list[tuple[bytes, bytes]]:
        """Return up to `limit` (key, value) pairs of `[start, stop)`, all from one moment.

        Args:
            partition: where to look; an unknown partition is empty.
            start: the first key that may be returned.
            stop: the first key behind the range; `b""` stands for the end of the partition.
            limit: how many pairs at most (≥ 1).
            reverse: begin at the end of the range and go down.
        """
        ...

    def skim(
        self, partition: str, start: bytes, stop: bytes, *, skip: int, delimiter: bytes, limit: int
    ) -> list[tuple[bytes, bytes | None]]:
        """Return pairs as `scan` does, but of keys that share a beginning only the first one.

        A key that holds `delimiter` behind its first `skip` bytes hides the keys that begin like
        it up to there, the delimiter included. Hidden keys are sought past and not read, nor is
        the value of a key that holds it: `None` stands in its place.

        Args:
            partition: where to look.
            start: the first key that may be returned; it begins with the same `skip` bytes as all.
            stop: the first key behind the range.
            skip: how many bytes the delimiter is not looked for in.
            delimiter: not empty, and it does not end in 0xFF.
            limit: how many pairs at most (≥ 1).
        """
        ...

    def survey(
        self, partition: str, ranges: Sequence[tuple[bytes, bytes]]
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs of several ranges `[start, stop)`, all from one moment.

        It sees every commit that was acknowledged before the first pair is asked for. The moment
        is kept until the iterator is exhausted or closed, which costs room for what is committed
        meanwhile: for what is done seldom. Blocking; call it on a thread, and stay there.
        """
        ...

    def partitions(self) -> Iterator[str]:
        """Yield, in order, the partitions that hold at least one key; not one moment's view."""
        ...

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
        """Write all or nothing to one partition; durable when the awaitable returns.

        What is `prior` is durable before anything of the commit is written. `displaced` looks at
        the values that the keys of `puts` and `deletes` have when the commit happens, and what it
        wants to be put for them is part of the commit.

        Concurrent commits behave as if they ran one after the other. Deleting a key that does
        not exist is no error; a key is not both put and deleted. Call it on the event loop.
        When the waiting task is cancelled the commit may still happen.

        Raises:
            CommitConflictError: a check did not hold, or `displaced` refused; nothing was written.
            CeilingError: the checks held, but an `Add` passed its ceiling; nothing was written.
            RecordDamagedError: an `Add` is for what holds no numbers; nothing was written.
            StoreFullError: the device is full; nothing was written.
            StoreBusyError: `PENDING_COMMITS_MAX` commits wait already; nothing was written.
            StoreFailedError: an I/O error made durability unsure. From then on every commit
                fails; reads go on.
            Exception: what is `prior` cannot become durable; nothing was written.
        """
        ...

    def fail(self, reason: str) -> None:
        """Acknowledge nothing from now on: something else that commits rely on is unsure.

        May be called from any thread; the first reason stays.
        """
        ...

    def give_back(self) -> bool:
        """Give a little of the room that deletions left back to the device; blocking.

        Returns:
            Whether there may be more to give back.

        Raises:
            StoreFailedError: an I/O error.
        """
        ...

    def close(self) -> None:
        """Finish the commits that wait, then release every resource. Idempotent, blocking."""
        ...
