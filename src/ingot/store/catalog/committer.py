"""Group commit: what waits for the catalog is written and synced in one go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ingot.base.units import MIB
from ingot.store.batches import UNSETTLED, Batcher
from ingot.store.catalog.contract import (
    PENDING_COMMITS_MAX,
    Add,
    Check,
    Displaced,
    EmptyRange,
    Prior,
    Put,
)
from ingot.store.errors import StoreBusyError, StoreFailedError

GROUP_COMMITS_MAX = 512
GROUP_BYTES_MAX = 16 * MIB

_log = logging.getLogger(__name__)


class Commit:
    """One atomic change to one partition, and who waits for it; made on the event loop."""

    __slots__ = ("adds", "checks", "deletes", "displaced", "future", "partition", "prior", "puts")

    def __init__(
        self,
        partition: str,
        checks: Sequence[Check | EmptyRange],
        puts: Sequence[Put],
        deletes: Sequence[bytes],
        *,
        adds: Sequence[Add] = (),
        prior: Prior | None = None,
        displaced: Displaced | None = None,
    ) -> None:
        self.partition = partition
        self.checks = checks
        self.puts = puts
        self.deletes = deletes
        self.adds = adds
        self.prior = prior
        self.displaced = displaced
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def keys(self) -> list[bytes]:
        """The keys whose values it replaces or removes."""
        return [*(put.key for put in self.puts), *self.deletes]

    @property
    def catalog_bytes(self) -> int:
        """How much it adds to the catalog."""
        return sum(len(put.value) + len(put.attachment or b"") for put in self.puts)

    @property
    def size_bytes(self) -> int:
        """How much is to be written."""
        return self.catalog_bytes + (0 if self.prior is None else self.prior.size_bytes)

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
    """Has commits written by one thread, after another one sealed what must be durable before.

    So a device syncs the bytes of one group while it syncs the commits of the group before.

    Args:
        write: writes a group; called on the thread only.
        close: releases what `write` uses; called on the thread, last.
    """

    def __init__(self, write: WriteGroup, close: Callable[[], None]) -> None:
        self._write = write
        self.failure: str | None = None
        self._sealer: Batcher[Commit] | None = None
        self._batcher: Batcher[Commit] = Batcher(
            "ingot-committer",
            self._outcomes,
            close,
            items_max=GROUP_COMMITS_MAX,
            bytes_max=GROUP_BYTES_MAX,
        )

    def submit(self, commit: Commit) -> Awaitable[None]:
        """Queue a commit from the event loop; the awaitable is its outcome."""
        future = commit.future
        if self.failure is not None or self._batcher.closed:
            future.set_exception(_failed(self.failure or "the store is closed"))
        elif self._waiting >= PENDING_COMMITS_MAX:
            future.set_exception(StoreBusyError("too many writes wait for the catalog"))
        else:
            self._first_stage(commit).put(commit)
        return future

    def fail(self, reason: str) -> None:
        """Refuse every commit from now on; the first reason stays."""
        if self.failure is None:
            _log.error("store.failed reason=%r", reason)
            self.failure = reason

    def close(self) -> None:
        """Finish what waits and end the threads. Idempotent, blocking."""
        if self._sealer is not None:
            self._sealer.close()
        self._batcher.close()

    @property
    def _waiting(self) -> int:
        return self._batcher.waiting + (0 if self._sealer is None else self._sealer.waiting)

    def _first_stage(self, commit: Commit) -> Batcher[Commit]:
        """Return who has a commit first; the thread that seals is begun when it is needed."""
        if commit.prior is None:
            return self._batcher
        if self._sealer is None:
            self._sealer = Batcher(
                "ingot-sealer",
                self._seal,
                lambda: None,
                items_max=GROUP_COMMITS_MAX,
                bytes_max=GROUP_BYTES_MAX,
            )
        return self._sealer

    def _outcomes(self, group: list[Commit], gather: Callable[[], None]) -> list[Exception | None]:
        if self.failure is None:
            try:
                return self._write(group, gather)
            # Whatever it was, what is on the device is unsure, and nobody may wait for ever.
            except Exception as error:  # noqa: BLE001 # a bug here must fail commits, not hang them
                _log.exception("store.catalog.failed")
                self.fail(str(error))
        return [_failed(self.failure or "it failed")] * len(group)

    def _seal(self, group: list[Commit], gather: Callable[[], None]) -> Sequence[object]:
        """Make durable what commits ask for and queue them; tell what became of the others."""
        unsealed: dict[Commit, Exception] = {}
        try:
            unsealed = _seal_prior(group)
        except Exception as error:  # noqa: BLE001 # must fail commits, not hang them
            _log.exception("store.catalog.failed")
            self.fail(str(error))
        if self.failure is not None:
            return [_failed(self.failure)] * len(group)
        for commit in group:
            if commit not in unsealed:
                self._batcher.put(commit)
        return [unsealed.get(commit, UNSETTLED) for commit in group]


def _seal_prior(group: Sequence[Commit]) -> dict[Commit, Exception]:
    """Make durable what the commits of a group need to be; return those that failed, and why."""
    by_engine: dict[Callable[..., Sequence[Exception | None]], list[Commit]] = {}
    for commit in group:
        if commit.prior is not None:
            by_engine.setdefault(commit.prior.seal_all, []).append(commit)
    unsealed: dict[Commit, Exception] = {}
    for seal_all, some in by_engine.items():
        outcomes = zip(some, seal_all([commit.prior for commit in some]), strict=True)
        unsealed |= {commit: failure for commit, failure in outcomes if failure is not None}
    return unsealed


def _failed(reason: str) -> StoreFailedError:
    return StoreFailedError(
        f"the catalog takes no more writes: {reason}",
        hint="check the device, then restart the server",
    )
