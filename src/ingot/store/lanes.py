"""Lanes: pieces of a body that a worker thread takes one after the other."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

Piece = bytes | memoryview


class _Waiter(NamedTuple):
    """Who waits until no more than some bytes are left."""

    left_bytes_max: int
    future: asyncio.Future[None]


class Lane:
    """Has work done on pieces, in order, by one thread at a time.

    The thread goes on for as long as there are pieces and asks nobody in between: while it had to
    hear from the event loop before each, a processor that hashes idled for a tenth of the time.

    Args:
        submit: runs something in a worker thread.
        work: what is done with a piece.

    Attributes:
        left_bytes: how much was put and is not done.
        failure: what the work raised; it is not done any more after that.
    """

    def __init__(
        self, submit: Callable[[Callable[[], None]], object], work: Callable[[Piece], None]
    ) -> None:
        self._submit = submit
        self._work = work
        self._lock = threading.Lock()
        self._pieces: deque[Piece] = deque()
        self._busy = False
        self._waiter: _Waiter | None = None
        self.left_bytes = 0
        self.failure: Exception | None = None

    def put(self, piece: Piece) -> None:
        """Have a piece done; from the event loop."""
        with self._lock:
            self._pieces.append(piece)
            self.left_bytes += len(piece)
            if self._busy:
                return
            self._busy = True
        self._submit(self._run)

    async def until(self, left_bytes_max: int) -> None:
        """Wait until no more than that is left; one task at a time.

        Raises:
            Exception: what the work raised.
        """
        with self._lock:
            future: asyncio.Future[None] | None = None
            if self.left_bytes > left_bytes_max:
                future = asyncio.get_running_loop().create_future()
                self._waiter = _Waiter(left_bytes_max, future)
        if future is not None:
            await future
        if self.failure is not None:
            raise self.failure

    def stop(self, reason: Exception) -> None:
        """Do nothing with the pieces that are left."""
        self.failure = self.failure or reason

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._pieces:
                    self._busy = False
                    return
                piece = self._pieces.popleft()
            if self.failure is None:
                try:
                    self._work(piece)
                except Exception as error:  # noqa: BLE001 # raised where the body is written
                    self.failure = error
            self._settle(len(piece))
            del piece

    def _settle(self, size_bytes: int) -> None:
        with self._lock:
            self.left_bytes -= size_bytes
            waiter = self._waiter
            if waiter is None or self.left_bytes > waiter.left_bytes_max:
                return
            self._waiter = None
        loop = waiter.future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_wake, waiter.future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
