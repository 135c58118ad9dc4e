"""Many jobs in a bounded number of threads, held in bounded numbers, stopped at once on demand."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from ingot.client.brief import BriefJobs, Slots
from ingot.client.pace import PERIOD_S, Pace
from ingot.transport.cord import GLANCE_S, Cord

Job = TypeVar("Job")
Result = TypeVar("Result")

# A service that gathers small writes has more to gather; threads that wait cost little.
WORKERS_DEFAULT = 64
WORKERS_MAX = 256
# How long a stop waits for transfers to abort; they look at the flag at every chunk, and those that
# wait for a peer are cut.
STOP_PATIENCE_S = 30.0
# Jobs taken from the plan ahead of the workers: enough that none ever waits for the listing.
_AHEAD_PER_WORKER = 4


class StoppedError(BaseException):
    """The run is being stopped: unwind, abort uploads, delete temporary files.

    Not an `Exception`, so that nothing on the way takes it for a failure to retry.
    """


class Stop:
    """A flag that ends a run; transfers call `check` between chunks."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._cord = Cord()

    def set(self) -> None:
        """Ask everything to end, and cut who waits for a peer."""
        self._event.set()
        self._cord.cut()

    def run(self, act: Callable[[Job], Result], job: Job) -> Result:
        """Do a job whose connections end when the end is asked for."""
        return self._cord.run(act, job)

    def hold(self) -> AbstractContextManager[None]:
        """Do all that this thread does in the block as `run` does a job."""
        return self._cord.hold()

    def is_set(self) -> bool:
        """Tell whether the end was asked for."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `StoppedError` if the end was asked for."""
        if self._event.is_set():
            raise StoppedError

    def wait(self, timeout_s: float) -> bool:
        """Sleep, but wake up at once when the end is asked for; return whether it was."""
        return self._event.wait(timeout_s)


class Done(Generic[Result]):
    """Stands among the jobs for a result that needed no thread; it is handed over in its turn."""

    __slots__ = ("result",)

    def __init__(self, result: Result) -> None:
        self.result = result


class Barrier:
    """Stands among the jobs where all before it must have ended, and their results been taken."""


class _Half(Generic[Result]):
    """Stands among the jobs for one that is begun."""

    __slots__ = ("finish",)

    def __init__(self, finish: Callable[[], Result]) -> None:
        self.finish = finish


class Pool(Generic[Job, Result]):
    """Runs `work` on jobs in daemon threads and hands results over as they come.

    Threads are daemons, so that a second Ctrl-C ends the process even while one of them waits
    for a peer.

    Args:
        work: called in a worker thread; what it raises ends the run.
        workers: number of jobs at once; each thread is started when a job comes for it.
        stop: set when the run ends early for any reason.
        begin: does the first step of a brief job, and returns the second.
        is_brief: tells the jobs that may be done in two steps: while the second would wait, one
            thread begins others.
        pace: tells whether that is better than a thread for each.
    """

    def __init__(
        self,
        work: Callable[[Job], Result],
        *,
        workers: int,
        stop: Stop,
        begin: Callable[[Job], Callable[[], Result]] | None = None,
        is_brief: Callable[[Job], bool] = lambda _: False,
        pace: Pace | None = None,
    ) -> None:
        assert 1 <= workers <= WORKERS_MAX, workers
        self._work = work
        self._is_brief = is_brief
        self._pace = pace or Pace()
        self._stop = stop
        self._window = workers * _AHEAD_PER_WORKER
        self._jobs: queue.SimpleQueue[Job | _Half[Result] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[list[Result] | BaseException] = queue.SimpleQueue()
        self._workers = workers
        # Of both kinds of threads together.
        self._slots = Slots(workers)
        self._threads: list[threading.Thread] = []
        self._brief: BriefJobs[Job, Result] | None = None
        if begin is not None:
            self._brief = BriefJobs(begin, stop=stop, slots=self._slots, results=self._results)
        self._brief_thread: threading.Thread | None = None

    def run(self, jobs: Iterable[Job | Done[Result] | Barrier]) -> Generator[Result]:
        """Yield results in the order of completion; at most a window of jobs is held.

        If the consumer goes away or an interrupt arrives, running jobs are stopped first.
        """
        held = 0
        finished = False
        try:
            for job in jobs:
                window = self._window
                if isinstance(job, Done):
                    yield job.result
                elif isinstance(job, Barrier):
                    window = 0
                else:
                    held += 1
                    self._give(job, held)
                while held and (held >= window or not self._results.empty()):
                    for result in self._next(held):
                        held -= 1
                        yield result
            while held:
                for result in self._next(held):
                    held -= 1
                    yield result
            finished = True
        finally:
            if not finished:
                self._stop.set()
                deque(_drained(self._jobs), maxlen=0)
                if self._brief:
                    deque(_drained(self._brief.jobs), maxlen=0)
            self._end_threads()

    def _give(self, job: Job, held: int) -> None:
        self._look(held)
        if self._brief and self._pace.is_narrow and self._is_brief(job):
            if self._brief_thread is None:
                self._brief_thread = _started("transfers", self._brief.serve)
            self._brief.jobs.put(job)
        else:
            self._give_thread(job, held)

    def _give_thread(self, job: Job | _Half[Result], held: int) -> None:
        if len(self._threads) < min(held, self._workers):
            self._threads.append(_started(f"transfer-{len(self._threads)}", self._serve))
        self._jobs.put(job)

    def _look(self, held: int) -> None:
        """Where one thread turns out to be slow, let many do what it has not done."""
        if self._pace.look() and self._brief and not self._pace.is_narrow:
            self._brief.tell()
            for finish in self._brief.handed_over():
                self._give_thread(_Half(finish), held)
            for job in _drained(self._brief.jobs):
                self._give_thread(job, held)

    def _next(self, held: int) -> list[Result]:
        while True:
            is_watched = self._brief_thread is not None and self._pace.is_narrow
            with contextlib.suppress(queue.Empty):
                results = self._results.get(timeout=PERIOD_S if is_watched else GLANCE_S)
                if isinstance(results, BaseException):
                    raise results
                return results
            self._look(held)

    def _end_threads(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        if self._brief:
            self._brief.jobs.put(None)
        deadline_s = time.monotonic() + STOP_PATIENCE_S
        for thread in (*self._threads, self._brief_thread):
            if thread is not None:
                thread.join(max(0.0, deadline_s - time.monotonic()))

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._slots.take()
            try:
                self._results.put([self._stop.run(self._done, job)])
            except BaseException as error:  # noqa: BLE001 # it is raised again by whoever runs the pool
                self._results.put(error)
            finally:
                self._slots.give_back()

    def _done(self, job: Job | _Half[Result]) -> Result:
        if isinstance(job, _Half):
            return job.finish()
        self._stop.check()
        return self._work(job)


def _started(name: str, body: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    return thread


def _drained(jobs: queue.SimpleQueue[Any]) -> Iterator[Any]:
    """Take what nobody has begun."""
    with contextlib.suppress(queue.Empty):
        while (job := jobs.get_nowait()) is not None:
            yield job
