"""Does many small tasks in a pool: retries each, counts progress, gives up when all is in vain."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from ingot.base.errors import DeniedError, Error, NetworkError, NotFoundError
from ingot.base.progress import Progress
from ingot.base.progress import Task as Bar
from ingot.base.retry import Backoff
from ingot.client.events import Event, Failed, Skipped, kind_of
from ingot.client.pool import WORKERS_DEFAULT, Barrier, Done, Pool, Stop, StoppedError
from ingot.s3client.body import SourceChangedError

# After this many failures of one hopeless kind in a row, the rest would fail the same way.
HOPELESS_FAILURES_MAX = 10
ATTEMPTS_DEFAULT = 3
_HOPELESS = (NetworkError, DeniedError)

Advance = Callable[[int], None]
Act = Callable[[Advance], list[Event]]
# The second step of something; it must be called.
Finish = Callable[[], list[Event]]
Begin = Callable[[Advance], Finish]


class VanishedError(NotFoundError):
    """What was listed is gone; a copy of a moment later would not have it either."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do.

    Attributes:
        label: what people call it.
        size_bytes: how many bytes will move.
        count: how many items it stands for.
        act: does it, in a worker thread, telling of bytes as they move. It may be called again
            after a failure of the network or when the source changed.
    """

    label: str
    size_bytes: int
    act: Act
    begin: Begin | None = None
    count: int = 1


# What a crew is given: things to do, things that are done, and points to wait at.
Planned = Task | Done[list[Event]] | Barrier


class Crew:
    """Carries out tasks; make one for each run.

    Args:
        workers: tasks at once.
        attempts: how often one task is tried in all.
        progress: is told of objects and bytes.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        workers: int = WORKERS_DEFAULT,
        attempts: int = ATTEMPTS_DEFAULT,
    ) -> None:
        self._progress = progress
        self._workers = workers
        self._backoff = Backoff(attempts=attempts)
        self._stop = Stop()
        self._rng = random.Random()  # noqa: S311 # jitter, not a secret

    def events(self, tasks: Iterable[Planned]) -> Generator[Event]:
        """Yield what happened, in order of completion.

        Closing the generator, or an exception where it is consumed, stops what is running.

        Raises:
            NetworkError, DeniedError: so many tasks in a row failed this way that the rest would.
        """
        with (
            self._progress.task("objects", total=0, unit="objects") as objects,
            self._progress.task("data", total=0, unit="bytes") as data,
        ):
            pool: Pool[Task, list[Event]] = Pool(
                lambda task: self._guarded(task, data),
                begin=lambda task: self._begun(task, data),
                is_brief=lambda task: task.begin is not None,
                workers=self._workers,
                stop=self._stop,
            )
            hopeless = _HopelessCounter()
            with closing(pool.run(_counted(tasks, objects, data))) as results:
                for happened in results:
                    objects.advance(len(happened))
                    for event in happened:
                        if isinstance(event, Failed):
                            objects.fail()
                        yield event
                        hopeless.add(event)

    def _begun(self, task: Task, data: Bar) -> Finish:
        assert task.begin is not None
        meter = _Meter(data, self._stop)
        try:
            finish = task.begin(meter.advance)
        except Exception as error:  # noqa: BLE001 # it is raised again in its turn
            finish = partial(_fail, error)
        return partial(self._guarded, task, data, (meter, finish))

    def _guarded(self, task: Task, data: Bar, first: _Attempt | None = None) -> list[Event]:
        try:
            return self._attempt(task, data, first)
        except VanishedError:
            return [Skipped(task.label, "vanished before it was read")]
        except Error as error:
            return [Failed(task.label, error)]
        except OSError as error:
            # Whatever this machine refuses for one item, the others are not ended by it.
            said = error.strerror or str(error)
            return [Failed(task.label, Error(f"{task.label}: {said}"))]

    def _attempt(self, task: Task, data: Bar, attempt: _Attempt | None) -> list[Event]:
        delays_s: Iterator[float] | None = None
        while True:
            if attempt is None:
                meter = _Meter(data, self._stop)
                attempt = meter, partial(task.act, meter.advance)
            meter, act = attempt
            try:
                return act()
            except (NetworkError, SourceChangedError):
                meter.rewind()
                delays_s = delays_s or self._backoff.delays_s(self._rng)
                delay_s = next(delays_s, None)
                if delay_s is None:
                    raise
                if self._stop.wait(delay_s):
                    raise StoppedError from None
                attempt = None


class _Meter:
    """Counts one attempt's bytes, so that a failed one can be taken back."""

    def __init__(self, data: Bar, stop: Stop) -> None:
        self._data = data
        self._stop = stop
        self._count_bytes = 0

    def advance(self, count_bytes: int) -> None:
        self._stop.check()
        self._count_bytes += count_bytes
        self._data.advance(count_bytes)

    def rewind(self) -> None:
        self._data.advance(-self._count_bytes)


# The bytes that it moved, and what it is.
_Attempt = tuple[_Meter, Finish]


def _fail(error: Exception) -> list[Event]:
    raise error


class _HopelessCounter:
    """Ends a run whose every item fails because the peer is away or the keys are wrong."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def add(self, event: Event) -> None:
        if not isinstance(event, Failed):
            self._in_a_row = 0
        elif isinstance(event.error, _HOPELESS):
            self._in_a_row += 1
            if self._in_a_row >= HOPELESS_FAILURES_MAX:
                raise kind_of(event.error)(
                    f"gave up after {self._in_a_row} failures in a row: {event.error.message}",
                    hint=event.error.hint,
                )


def _counted(tasks: Iterable[Planned], objects: Bar, data: Bar) -> Iterator[Planned]:
    """Pass tasks on, and tell the bars how much was planned so far."""
    count = size_bytes = 0
    for task in tasks:
        if isinstance(task, Task):
            count += task.count
            size_bytes += task.size_bytes
            data.total(size_bytes)
        elif isinstance(task, Done):
            count += len(task.result)
        objects.total(count)
        yield task
