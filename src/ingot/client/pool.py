"""Many jobs in a bounded number of threads, held in bounded numbers, stopped at once on demand."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

from ingot.transport.cord import GLANCE_S, Cord

Job = TypeVar("Job")
Result = TypeVar("Result")

# A service that gathers small writes has more to gather; threads that wait cost little.
WORKERS_DEFAULT = 32
WORKERS_MAX = 64
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


class Pool(Generic[Job, Result]):
    """Runs `work` on jobs in daemon threads and hands results over as they come.

    Threads are daemons, so that a second Ctrl-C ends the process even while one of them waits
    for a peer.

    Args:
        work: called in a worker thread; what it raises ends the run.
        workers: number of threads at most; each is started when a job comes for it.
        stop: set when the run ends early for any reason.
    """

    def __init__(self, work: Callable[[Job], Result], *, workers: int, stop: Stop) -> None:
        assert 1 <= workers <= WORKERS_MAX, workers
        self._work = work
        self._stop = stop
        self._window = workers * _AHEAD_PER_WORKER
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
        self._workers = workers
        self._threads: list[threading.Thread] = []

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
                    if len(self._threads) < min(held, self._workers):
                        self._start_thread()
                    self._jobs.put(job)
                while held and (held >= window or not self._results.empty()):
                    yield self._next()
                    held -= 1
            while held:
                yield self._next()
                held -= 1
            finished = True
        finally:
            if not finished:
                self._stop.set()
                self._drain()
            for _ in self._threads:
                self._jobs.put(None)
            deadline_s = time.monotonic() + STOP_PATIENCE_S
            for thread in self._threads:
                thread.join(max(0.0, deadline_s - time.monotonic()))

    def _start_thread(self) -> None:
        name = f"transfer-{len(self._threads)}"
        thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _next(self) -> Result:
        while True:
            with contextlib.suppress(queue.Empty):
                result = self._results.get(timeout=GLANCE_S)
                if isinstance(result, BaseException):
                    raise result
                return result

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._jobs.get_nowait()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._stop.check()
                self._results.put(self._stop.run(self._work, job))
            except BaseException as error:  # noqa: BLE001 # it is raised again by whoever runs the pool
                self._results.put(error)
