"""Bodies on their way out: pieces are read in worker threads, as large as the budget allows."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from typing import Protocol, TypeVar

from ingot.store.blobs.contract import BlobRef, Blobs
from ingot.store.readbudget import ReadBudget

Result = TypeVar("Result")


class Source(Protocol):
    """What a reader needs: the engine, what readers may hold, and worker threads."""

    blobs: Blobs
    budget: ReadBudget

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Run blocking work in a worker thread."""
        ...


class Reading:
    """One reader's way through its ranges: a step reads a piece in a worker thread.

    Attributes:
        left_bytes: how much was not received yet.
    """

    def __init__(
        self, bodies: Source, extents: Sequence[tuple[BlobRef, int, int]], length: int
    ) -> None:
        self._bodies = bodies
        self._source = self._pieces(extents)
        self._granted_bytes: deque[int] = deque()
        self._step: Future[bytes] | None = None
        self.left_bytes = length

    @property
    def is_ahead(self) -> bool:
        """Whether a step is begun whose piece was not received."""
        return self._step is not None

    def begin_step(self) -> None:
        """Begin to read the next piece."""
        self._granted_bytes.append(self._bodies.budget.take(self.left_bytes))
        self._step = self._bodies.submit(next, self._source)

    async def piece(self) -> bytes:
        """Wait for the piece of the step that was begun."""
        assert self._step is not None, "a piece is waited for after its step was begun"
        piece = await asyncio.wrap_future(self._step)
        self._step = None
        self.left_bytes -= len(piece)
        return piece

    def settle_one(self) -> None:
        """Give back the grant of the oldest piece."""
        self._bodies.budget.give_back(self._granted_bytes.popleft())

    def close(self) -> None:
        """Give back all grants, and release the file behind a step that still uses it."""
        while self._granted_bytes:
            self.settle_one()
        if self._step is None:
            self._source.close()
        else:
            self._step.add_done_callback(lambda _: self._source.close())

    def _pieces(self, extents: Sequence[tuple[BlobRef, int, int]]) -> Generator[bytes, None, None]:
        for blob, start, length in extents:
            yield from self._bodies.blobs.read(
                blob, start, length, piece_bytes=lambda: self._granted_bytes[-1]
            )
