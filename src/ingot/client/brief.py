"""Brief jobs in one thread: while the answers to some are on their way, it begins others."""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from ingot.client.pool import Stop

Job = TypeVar("Job")
Result = TypeVar("Result")

# Results are told some at a time: each telling wakes another thread up, which takes the
# interpreter from this one. None is kept back for longer than people notice.
_TOLD_TOGETHER = 16
_KEPT_BACK_S = 0.05


class Slots:
    """What who does a job holds meanwhile; there are as many as jobs may be done at once."""

    def __init__(self, count: int) -> None:
        # Not a semaphore, which is written in Python and takes ten times as long.
        self._free: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)

    def take(self, *, waits: bool = True) -> bool:
        """Take one; if it does not wait for one, tell whether there was one."""
        try:
            self._free.get(block=waits)
        except queue.Empty:
            return False
        return True

    def give_back(self) -> None:
        """Let another have it."""
        self._free.put(None)


class BriefJobs(Generic[Job, Result]):
    """Does jobs in two steps, the first steps of many before their second ones, in their order.

    Args:
        begin: does the first step, and returns the second.
        stop: ends it.
        slots: one is taken for each job that is begun and not finished.
        results: takes results, or what a step raised.

    Attributes:
        jobs: to do; None ends the thread.
    """

    def __init__(
        self,
        begin: Callable[[Job], Callable[[], Result]],
        *,
        stop: Stop,
        slots: Slots,
        results: queue.SimpleQueue[list[Result] | BaseException],
    ) -> None:
        self.jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._begin = begin
        self._stop = stop
        self._slots = slots
        self._results = results
        self._begun: deque[Callable[[], Result]] = deque()
        self._untold: deque[Result] = deque()
        self._told_s = 0.0

    def handed_over(self) -> Iterator[Callable[[], Result]]:
        """Take the second steps that were not begun, for other threads to do as jobs."""
        with contextlib.suppress(IndexError):
            while True:
                yield self._begun.popleft()
                self._slots.give_back()

    def serve(self) -> None:
        """Do jobs until None comes; the body of a thread."""
        with self._stop.hold():
            while True:
                try:
                    job = self.jobs.get(block=not self._begun)
                except queue.Empty:
                    self._finish_one()
                    continue
                if job is None:
                    break
                while not self._slots.take(waits=not self._begun):
                    self._finish_one()
                self._begin_one(job)
            while self._begun:
                self._finish_one()

    def _begin_one(self, job: Job) -> None:
        try:
            self._stop.check()
            self._begun.append(self._begin(job))
        except BaseException as error:  # noqa: BLE001 # it is raised again by whoever runs the pool
            self._slots.give_back()
            self._results.put(error)

    def _finish_one(self) -> None:
        try:
            finish = self._begun.popleft()
        except IndexError:
            self.tell()  # the last was handed over
            return
        try:
            self._untold.append(finish())
        except BaseException as error:  # noqa: BLE001 # as above
            self.tell()
            self._results.put(error)
        finally:
            self._slots.give_back()
        is_late = time.monotonic() - self._told_s > _KEPT_BACK_S
        if len(self._untold) >= _TOLD_TOGETHER or not self._begun or is_late:
            self.tell()

    def tell(self) -> None:
        """Hand the results over that were kept back; in any thread, as while this one waits."""
        told: list[Result] = []
        with contextlib.suppress(IndexError):
            while True:
                told.append(self._untold.popleft())
        if told:
            self._results.put(told)
        self._told_s = time.monotonic()
