"""Batches: one thread that gathers what waits and has it done in one go."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, Protocol, TypeVar


class Waiting(Protocol):
    """Something to be done, and who waits for it."""

    @property
    def future(self) -> asyncio.Future[Any]:
        """Gets the outcome, on its own event loop."""
        ...

    @property
    def size_bytes(self) -> int:
        """How much it adds to a batch."""
        ...


Item = TypeVar("Item", bound=Waiting)


# The outcome of an item that goes on elsewhere: whoever waits for it goes on waiting.
UNSETTLED = object()


class Batcher(Generic[Item]):
    """Owns the thread that does what waits, batch by batch.

    While one batch is done the next one gathers, so that those who wait at the same time share
    what it costs; a lone one waits for nobody.

    Args:
        name: the thread's.
        work: does a batch and returns, in order, each item's result, or the error to raise;
            called on the thread only. Its second argument lets the batch take in what has come
            meanwhile, for work that has to wait before it can begin.
        close: releases what `work` uses; called on the thread, last.
        items_max: how many items a batch has at most.
        bytes_max: after how many bytes a batch takes no more items.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Item], Callable[[], None]], Sequence[object]],
        close: Callable[[], None],
        *,
        items_max: int,
        bytes_max: int,
    ) -> None:
        self._work = work
        self._close = close
        self._items_max = items_max
        self._bytes_max = bytes_max
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.closed = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """About how many items wait."""
        return self._queue.qsize()

    def put(self, item: Item) -> None:
        """Let an item wait; not after `close`."""
        self._queue.put(item)

    def close(self) -> None:
        """Finish what waits and end the thread. Idempotent, blocking."""
        if not self.closed:
            self.closed = True
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ended:
                batch: list[Item] = []
                self._take(batch, self._queue.get())
                if batch:
                    self._gather(batch)
                    _settle(batch, self._work(batch, partial(self._gather, batch)))
        finally:
            self._close()

    def _gather(self, batch: list[Item]) -> None:
        """Take what is there, as far as the batch has room."""
        size_bytes = sum(item.size_bytes for item in batch)
        while not self._ended and len(batch) < self._items_max and size_bytes < self._bytes_max:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            self._take(batch, item)
            size_bytes += batch[-1].size_bytes

    def _take(self, batch: list[Item], item: Item | None) -> None:
        if item is None:
            self._ended = True
        else:
            batch.append(item)


def _settle(batch: Sequence[Waiting], outcomes: Sequence[object]) -> None:
    """Hand the outcomes to the event loops, one wake-up each."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], object]]] = {}
    for item, outcome in zip(batch, outcomes, strict=True):
        if outcome is UNSETTLED:
            continue
        by_loop.setdefault(item.future.get_loop(), []).append((item.future, outcome))
    for loop, settled in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_set_outcomes, settled)


def _set_outcomes(settled: list[tuple[asyncio.Future[Any], object]]) -> None:
    for future, outcome in settled:
        if future.done():
            continue  # whoever waited was cancelled; what was done stands as it is
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
