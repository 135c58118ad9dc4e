"""Group commit: what waits for the catalog is written and synced in one go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ingot.base.units import MIB
from ingot.store.batches import Batcher
from ingot.store.catalog.contract import PENDING_COMMITS_MAX, Add, Check, EmptyRange, Put
from ingot.store.errors import StoreBusyError, StoreFailedError

GROUP_COMMITS_MAX = 512
GROUP_BYTES_MAX = 16 * MIB

_log = logging.getLogger(__name__)


class Commit:
    """One atomic change to one partition, and who waits for it."""

    __slots__ = ("adds", "checks", "deletes", "future", "partition", "puts", "size_bytes")

    def __init__(
        self,
        partition: str,
        checks: Sequence[Check | EmptyRange],
        puts: Sequence[Put],
        deletes: Sequence[bytes],
        *,
        adds: Sequence[Add],
        future: asyncio.Future[None],
    ) -> None:
        self.partition = partition
        self.checks = checks
        self.puts = puts
        self.deletes = deletes
        self.adds = adds
        self.future = future
        self.size_bytes = sum(len(put.value) + len(put.attachment or b"") for put in puts)

    @property
    def grows(self) -> bool:
        """Whether the commit adds to the catalog and takes nothing away."""
        return bool(self.puts) and not self.deletes


class WriteGroup(Protocol):
    """Writes commits in order in one transaction.

    Once it may write it calls `gather`, which adds to the group what has come meanwhile. Returns,
    in order, `None` for what is durable or the error to raise. When it raises, durability is
    unsure and nothing may be acknowledged any more.
    """

    def __call__(
        self, group: Sequence[Commit], gather: Callable[[], None]
    ) -> list[Exception | None]: ...


class Committer:
    """Has commits written by one thread.

    Args:
        write: writes a group; called on the thread only.
        close: releases what `write` uses; called on the thread, last.
    """

    def __init__(self, write: WriteGroup, close: Callable[[], None]) -> None:
        self._write = write
        self.failure: str | None = None
        self._batcher: Batcher[Commit] = Batcher(
            "ingot-committer",
            self._outcomes,
            close,
            items_max=GROUP_COMMITS_MAX,
            bytes_max=GROUP_BYTES_MAX,
        )

    def submit(
        self,
        partition: str,
        checks: Sequence[Check | EmptyRange],
        puts: Sequence[Put],
        deletes: Sequence[bytes],
        adds: Sequence[Add] = (),
    ) -> Awaitable[None]:
        """Queue a commit from the event loop; the awaitable is its outcome."""
        future = asyncio.get_running_loop().create_future()
        if self.failure is not None or self._batcher.closed:
            future.set_exception(_failed(self.failure or "the store is closed"))
        elif self._batcher.waiting >= PENDING_COMMITS_MAX:
            future.set_exception(StoreBusyError("too many writes wait for the catalog"))
        else:
            self._batcher.put(Commit(partition, checks, puts, deletes, adds=adds, future=future))
        return future

    def fail(self, reason: str) -> None:
        """Refuse every commit from now on; the first reason stays."""
        if self.failure is None:
            _log.error("store.failed reason=%r", reason)
            self.failure = reason

    def close(self) -> None:
        """Finish what waits and end the thread. Idempotent, blocking."""
        self._batcher.close()

    def _outcomes(self, group: list[Commit], gather: Callable[[], None]) -> list[Exception | None]:
        if self.failure is None:
            try:
                return self._write(group, gather)
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
