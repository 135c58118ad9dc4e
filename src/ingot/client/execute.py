"""Carries out a plan's steps in a pool: copies, compares, removes, retries, gives up in time."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from ingot.base.errors import ConflictError, DeniedError, Error, NetworkError, NotFoundError
from ingot.base.limits import DELETE_KEYS_MAX
from ingot.base.progress import Progress, Task
from ingot.base.retry import Backoff
from ingot.client.entries import Entry
from ingot.client.events import Copied, Event, Failed, Removed, Skipped, Unchanged, kind_of
from ingot.client.plan import Compare, Copy, Refuse, Remove, Same, Skip, Step
from ingot.client.pool import WORKERS_DEFAULT, Done, Pool, Stop, StoppedError
from ingot.client.trees import Tree

# After this many failures of one hopeless kind in a row, the rest would fail the same way.
HOPELESS_FAILURES_MAX = 10
_HOPELESS = (NetworkError, DeniedError)

Events = list[Event]
Removals = tuple[Entry, ...]
_Job = Copy | Compare | Removals


class ChangedError(Error):
    """A file changed while it was being read; what was read is not kept."""

    slug = "changed"


class VanishedError(NotFoundError):
    """What was listed is gone; a copy of a moment later would not have it either."""


class Mover(Protocol):
    """Moves contents from one tree to another; its methods are called in several threads."""

    def copy(self, source: Entry, advance: Callable[[int], None]) -> None:
        """Write the source's content over there, whole or not at all.

        Args:
            source: what to copy, by its name, which is the same on both sides.
            advance: called with the number of bytes as they move; it may raise to stop.

        Raises:
            ChangedError: the source changed meanwhile.
            VanishedError: the source is gone.
            Error: anything else that went wrong.
        """
        ...

    def is_same(self, source: Entry, target: Entry) -> bool:
        """Compare the contents of two entries of equal size.

        Raises:
            VanishedError: the source is gone.
            Error: one of them cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run behaves.

    Attributes:
        overwrite: replace what differs (else it is reported as a conflict).
        dry_run: change nothing, report what would be done.
        attempts: how often one item is tried in all.
        workers: transfers at once.
    """

    overwrite: bool = False
    dry_run: bool = False
    attempts: int = 3
    workers: int = WORKERS_DEFAULT


class Executor:
    """Carries out the steps between one pair of trees.

    Args:
        source: where contents come from.
        target: what is changed.
        mover: moves contents between them.
        conduct: how.
        progress: is told of objects and bytes.
    """

    def __init__(
        self,
        source: Tree,
        target: Tree,
        mover: Mover,
        conduct: Conduct,
        *,
        progress: Progress,
    ) -> None:
        self._source = source
        self._target = target
        self._mover = mover
        self._conduct = conduct
        self._stop = Stop()
        self._progress = progress
        self._backoff = Backoff(attempts=conduct.attempts)
        self._rng = random.Random()  # noqa: S311 # jitter, not a secret
        self._planned_objects = 0
        self._planned_bytes = 0

    def events(self, steps: Iterable[Step]) -> Generator[Event]:
        """Carry out `steps` and yield what happened, in order of completion; call it once.

        Closing the generator, or an exception where it is consumed, stops what is running.

        Raises:
            NetworkError, DeniedError: so many items in a row failed this way that the rest would.
            Error: the steps' listings failed.
        """
        with (
            self._progress.task("objects", total=0, unit="objects") as objects,
            self._progress.task("data", total=0, unit="bytes") as data,
        ):
            pool: Pool[_Job, Events] = Pool(
                lambda job: self._work(job, data), workers=self._conduct.workers, stop=self._stop
            )
            hopeless = _HopelessCounter()
            with closing(pool.run(self._jobs(steps, objects, data))) as results:
                for happened in results:
                    objects.advance(len(happened))
                    for event in happened:
                        yield event
                        hopeless.add(event)

    def _jobs(
        self, steps: Iterable[Step], objects: Task, data: Task
    ) -> Iterator[_Job | Done[Events]]:
        removals: list[Entry] = []
        for step in steps:
            self._planned_objects += 1
            objects.total(self._planned_objects)
            match step:
                case Copy() | Compare():
                    self._planned_bytes += step.source.size_bytes
                    data.total(self._planned_bytes)
                    yield step
                case Remove() if self._target.is_file_tree:
                    # At once, since a folder may have to take this file's place next.
                    yield Done(self._remove((step.target,)))
                case Remove():
                    removals.append(step.target)
                    if len(removals) == DELETE_KEYS_MAX:
                        yield tuple(removals)
                        removals.clear()
                case Same() | Refuse() | Skip():
                    yield Done([self._told(step)])
        if removals:
            yield tuple(removals)

    def _told(self, step: Same | Refuse | Skip) -> Event:
        match step:
            case Same():
                return Unchanged(self._source.label(step.source.name), step.source.size_bytes)
            case Refuse():
                label = self._source.label(step.name)
                return Failed(label, Error(f"{label}: {step.reason}"))
            case Skip():
                return Skipped(self._source.label(step.name), step.reason)

    def _work(self, job: _Job, data: Task) -> Events:
        match job:
            case Copy():
                return [self._guarded(job.source, lambda: self._copy(job, data))]
            case Compare():
                return [self._guarded(job.source, lambda: self._compare(job, data))]
            case _:
                return self._remove(job)

    def _guarded(self, source: Entry, act: Callable[[], Event]) -> Event:
        label = self._source.label(source.name)
        try:
            return self._attempt(act)
        except VanishedError:
            return Skipped(label, "vanished before it was read")
        except Error as error:
            return Failed(label, error)

    def _attempt(self, act: Callable[[], Event]) -> Event:
        delays_s = self._backoff.delays_s(self._rng)
        while True:
            try:
                return act()
            except (NetworkError, ChangedError):
                delay_s = next(delays_s, None)
                if delay_s is None:
                    raise
                if self._stop.wait(delay_s):
                    raise StoppedError from None

    def _compare(self, job: Compare, data: Task) -> Event:
        if self._mover.is_same(job.source, job.target):
            data.advance(job.source.size_bytes)
            return Unchanged(self._source.label(job.source.name), job.source.size_bytes)
        return self._copy(Copy(job.source, job.target), data)

    def _copy(self, job: Copy, data: Task) -> Event:
        source = self._source.label(job.source.name)
        target = self._target.label(job.source.name)
        if job.target is not None and not self._conduct.overwrite:
            raise ConflictError(
                f"{target} exists and differs from {source}", hint="add --overwrite"
            )
        if not self._conduct.dry_run:
            meter = _Meter(data, self._stop)
            try:
                self._mover.copy(job.source, meter.advance)
            except BaseException:
                meter.rewind()
                raise
        return Copied(source, target, job.source.size_bytes)

    def _remove(self, entries: Removals) -> Events:
        """Delete what the source still does not have; what appeared there meanwhile stays."""
        gone = [entry for entry in entries if self._source.lacks(entry.name)]
        failed: dict[str, Error] = {}
        if gone and not self._conduct.dry_run:
            try:
                failed = self._target.remove([entry.name for entry in gone])
            except Error as error:
                failed = {entry.name: error for entry in gone}
        return [self._removed(entry, failed.get(entry.name)) for entry in gone]

    def _removed(self, entry: Entry, error: Error | None) -> Event:
        label = self._target.label(entry.name)
        return Removed(label, entry.size_bytes) if error is None else Failed(label, error)


class _Meter:
    """Counts one copy's bytes, so that a failed attempt can be taken back."""

    def __init__(self, task: Task, stop: Stop) -> None:
        self._task = task
        self._stop = stop
        self._count_bytes = 0

    def advance(self, count_bytes: int) -> None:
        self._stop.check()
        self._count_bytes += count_bytes
        self._task.advance(count_bytes)

    def rewind(self) -> None:
        self._task.advance(-self._count_bytes)
        self._count_bytes = 0


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
