"""Group commit: one thread that gathers what waits and has it written in one go."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ingot.base.units import MIB
from ingot.store.catalog.contract import PENDING_COMMITS_MAX, Check, EmptyRange, Put
from ingot.store.errors import StoreBusyError, StoreFailedError

GROUP_COMMITS_MAX = 512
GROUP_BYTES_MAX = 16 * MIB

_log = logging.getLogger(__name__)


class Commit:
    """One atomic change to one partition, and who waits for it."""

    __slots__ = ("checks", "deletes", "future", "partition", "puts", "size_bytes")

    def __init__(
        self,
        partition: str,
        checks: Sequence[Check | EmptyRange],
        puts: Sequence[Put],
        deletes: Sequence[bytes],
        future: asyncio.Future[None],
    ) -> None:
        self.partition = partition
        self.checks = checks
        self.puts = puts
        self.deletes = deletes
        self.future = future
        self.size_bytes = sum(len(put.value) + len(put.attachment or b"") for put in puts)

    @property
    def grows(self) -> bool:
        """Whether the commit adds to the catalog and takes nothing away."""
        return bool(self.puts) and not self.deletes


class WriteGroup(Protocol):
    """Writes commits in order in one transaction.

    Returns, in order, `None` for what is durable or the error to raise. When it raises,
    durability is unsure and nothing may be acknowledged any more.
    """

    def __call__(self, group: Sequence[Commit]) -> list[Exception | None]: ...


class Committer:
    """Owns the thread that commits.

    While one group is being written and synced the next one gathers, so that concurrent writers
    share the sync; a lone writer waits for nobody.

    Args:
        write: writes a group; called on the thread only.
        close: releases what `write` uses; called on the thread, last.
    """

    def __init__(self, write: WriteGroup, close: Callable[[], None]) -> None:
        self._write = write
        self._close = close
        self._queue: queue.SimpleQueue[Commit | None] = queue.SimpleQueue()
        self._closed = False
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="ingot-committer", daemon=True)
        self._thread.start()

    def submit(
        self,
        partition: str,
        checks: Sequence[Check | EmptyRange],
        puts: Sequence[Put],
        deletes: Sequence[bytes],
    ) -> Awaitable[None]:
        """Queue a commit from the event loop; the awaitable is its outcome."""
        future = asyncio.get_running_loop().create_future()
        if self.failure is not None or self._closed:
            future.set_exception(_failed(self.failure or "the store is closed"))
        elif self._queue.qsize() >= PENDING_COMMITS_MAX:
            future.set_exception(StoreBusyError("too many writes wait for the catalog"))
        else:
            self._queue.put(Commit(partition, checks, puts, deletes, future))
        return future

    def fail(self, reason: str) -> None:
        """Refuse every commit from now on; the first reason stays."""
        if self.failure is None:
            _log.error("store.failed reason=%r", reason)
            self.failure = reason

    def close(self) -> None:
        """Finish what waits and end the thread. Idempotent, blocking."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            closing = False
            while not closing:
                group, closing = self._gather()
                if group:
                    _settle(group, self._outcomes(group))
        finally:
            self._close()

    def _gather(self) -> tuple[list[Commit], bool]:
        """Wait for a commit, then take what else is there; say whether it was the last."""
        group: list[Commit] = []
        size_bytes = 0
        item = self._queue.get()
        while item is not None:
            group.append(item)
            size_bytes += item.size_bytes
            if len(group) >= GROUP_COMMITS_MAX or size_bytes >= GROUP_BYTES_MAX:
                return group, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _outcomes(self, group: list[Commit]) -> list[Exception | None]:
        if self.failure is None:
            try:
                return self._write(group)
            # Whatever it was, what is on the device is unsure, and nobody may wait for ever.
            except Exception as error:  # noqa: BLE001 # a bug here must fail commits, not hang them
                _log.exception("store.catalog.failed")
                self.fail(str(error))
        return [_failed(self.failure or "it failed")] * len(group)


def _failed(reason: str) -> StoreFailedError:
    return StoreFailedError(
        f"the catalog takes no more writes: {reason}",
        hint="check the device, then restart the server",
    )


def _settle(group: list[Commit], outcomes: list[Exception | None]) -> None:
    """Hand the outcomes to the event loops, one wake-up each."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], Exception | None]]]
    by_loop = {}
    for commit, outcome in zip(group, outcomes, strict=True):
        by_loop.setdefault(commit.future.get_loop(), []).append((commit.future, outcome))
    for loop, settled in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set_outcomes, settled)


def _set_outcomes(settled: list[tuple[asyncio.Future[None], Exception | None]]) -> None:
    for future, outcome in settled:
        if future.done():
            continue  # whoever waited was cancelled; the commit stands as it is
        if outcome is None:
            future.set_result(None)
        else:
            future.set_exception(outcome)
