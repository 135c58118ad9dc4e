"""Turns a plan's steps into tasks: copies, comparisons, removals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from ingot.base.errors import ConflictError, Error
from ingot.base.limits import DELETE_KEYS_MAX
from ingot.base.progress import Progress
from ingot.client.crew import (
    ATTEMPTS_DEFAULT,
    Act,
    Advance,
    Begin,
    Crew,
    Finish,
    Planned,
    Task,
)
from ingot.client.entries import Entry
from ingot.client.events import Copied, Event, Failed, Removed, Skipped, Unchanged
from ingot.client.localnames import BlockedError, count_below, remove_hollow_folder
from ingot.client.places import FilePlace
from ingot.client.plan import Compare, Copy, Refuse, Remove, Same, Skip, Step
from ingot.client.pool import WORKERS_DEFAULT, Barrier, Done
from ingot.client.removals import RemovalLimit
from ingot.client.spool import EntrySpool
from ingot.client.trees import Tree
from ingot.client.writable import check_writable

# So many files are looked up at once in what is remembered of them.
_GATHERED_MAX = 64


class Mover(Protocol):
    """Moves contents from one tree to another; its methods are called in several threads."""

    def is_brief(self, source: Entry) -> bool:
        """Tell whether a copy is a small message and an answer, and others are begun meanwhile."""
        ...

    def begin_copy(self, source: Entry, advance: Advance, *, replaces: bool) -> Callable[[], None]:
        """Begin to write the source's content over there, whole or not at all.

        Args:
            source: what to copy, by its name, which is the same on both sides.
            advance: called with the number of bytes as they move; it may raise to stop.
            replaces: whether a file may have been there; one that was not listed is not replaced.

        Returns:
            What does the rest, and raises the same; it must be called.

        Raises:
            ConflictError: there is one that was not listed.
            SourceChangedError: the source changed meanwhile.
            VanishedError: the source is gone.
            Error: anything else that went wrong.
        """
        ...

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Tell of pairs of entries of equal size whether they are known to be the same, at once."""
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
        removal_limit: how many names of the target one run may delete.
        is_blind: the target is not listed, and what it has is replaced.
        removes: folders in which nothing is but folders make way for files.
    """

    overwrite: bool = False
    dry_run: bool = False
    attempts: int = ATTEMPTS_DEFAULT
    workers: int = WORKERS_DEFAULT
    removal_limit: RemovalLimit = field(default_factory=RemovalLimit)
    is_blind: bool = False
    removes: bool = False


class Executor:
    """Carries out steps between one pair of trees; make one for each run.

    What is to be removed is removed last: then it is known how much that is, and a run that ends
    early has deleted nothing.

    Args:
        source: where contents come from.
        target: what is changed.
        mover: moves contents between them.
        conduct: how.
    """

    def __init__(self, source: Tree, target: Tree, mover: Mover, conduct: Conduct) -> None:
        self._source = source
        self._target = target
        self._mover = mover
        self._conduct = conduct
        self._present = 0
        self._has_written = False

    def events(self, steps: Iterable[Step], progress: Progress) -> Generator[Event]:
        """Carry out `steps` and yield what happened, in order of completion.

        Closing the generator, or an exception where it is consumed, stops what is running.

        Raises:
            NetworkError, DeniedError: so many items in a row failed this way that the rest would.
            Error: the steps' listings failed.
        """
        crew = Crew(progress, workers=self._conduct.workers, attempts=self._conduct.attempts)
        with (
            closing(_Last()) as last,
            closing(crew.events(self._tasks(steps, last))) as events,
        ):
            try:
                yield from events
            finally:
                # Also what was copied before an interrupt stays.
                if self._has_written:
                    self._target.settle()

    def _tasks(self, steps: Iterable[Step], last: _Last) -> Iterator[Planned]:
        for step in _gathered(steps):
            match step:
                case list():
                    self._present += len(step)
                    yield from self._alike(step, last)
                case Copy() if step.displaced is not None:
                    last.displacing.add(step.source)
                case Copy():
                    self._present += step.target is not None
                    begin = partial(self._begin_copy, step, last)
                    yield self._task(step, partial(_do, begin), begin)
                case Remove():
                    self._present += 1
                    last.removals.add(step.target)
                case Refuse() | Skip():
                    yield Done([self._told(step)])
        yield from self._removals(last.removals)
        yield Barrier()
        for source in last.displacing:
            copy = Copy(source, None)
            begin = partial(self._begin_copy_now, copy, is_cleared=True)
            yield self._task(copy, partial(_do, begin), begin)
        cleared = last.removed_in_folders() if self._conduct.dry_run else {}
        for source in last.blocked:
            # Each of them was counted before it was found to be blocked.
            act = partial(self._copy_blocked, source, cleared.get(source.name, 0))
            yield Task(self._source.label(source.name), 0, act, count=0)

    def _removals(self, removals: EntrySpool) -> Iterator[Planned]:
        if not removals:
            return
        yield Barrier()
        refusal = self._conduct.removal_limit.refusal(len(removals), self._present)
        if refusal is None or self._conduct.dry_run:
            for batch in removals.batches(DELETE_KEYS_MAX):
                label = self._target.label(batch[0].name)
                yield Task(label, 0, partial(self._remove, batch), count=len(batch))
        if refusal is not None:
            yield Done([Failed(self._target.label(""), refusal)])

    def _alike(self, steps: Sequence[Compare | Same], last: _Last) -> Iterator[Planned]:
        """Settle what is known to be the same, and give out the rest."""
        doubtful = [step for step in steps if isinstance(step, Compare)]
        known = iter(self._mover.known_same([(step.source, step.target) for step in doubtful]))
        same: list[Event] = []
        for step in steps:
            if isinstance(step, Compare) and not next(known):
                yield self._task(step, partial(self._compare, step, last))
            else:
                same.append(self._unchanged(step.source))
        if same:
            yield Done(same)

    def _task(self, step: Copy | Compare, act: Act, begin: Begin | None = None) -> Task:
        source = step.source
        if begin is not None and not self._mover.is_brief(source):
            begin = None
        return Task(self._source.label(source.name), source.size_bytes, act, begin)

    def _unchanged(self, source: Entry) -> Unchanged:
        return Unchanged(self._source.label(source.name), source.size_bytes)

    def _told(self, step: Refuse | Skip) -> Event:
        label = (self._target if step.in_target else self._source).label(step.name)
        if isinstance(step, Skip):
            return Skipped(label, step.reason)
        return Failed(label, Error(f"{label}: {step.reason}"))

    def _compare(self, step: Compare, last: _Last, advance: Advance) -> list[Event]:
        if self._mover.is_same(step.source, step.target):
            advance(step.source.size_bytes)
            return [self._unchanged(step.source)]
        return self._begin_copy(Copy(step.source, step.target), last, advance)()

    def _begin_copy(self, step: Copy, last: _Last, advance: Advance) -> Finish:
        """Begin a copy that is tried again at the end if something is in its way."""
        try:
            copy = self._begin_copy_now(step, advance)
        except BlockedError:
            last.blocked.add(step.source)
            return list

        def finish() -> list[Event]:
            try:
                return copy()
            except BlockedError:
                last.blocked.add(step.source)
                return []

        return finish

    def _begin_copy_now(self, step: Copy, advance: Advance, *, is_cleared: bool = False) -> Finish:
        """Begin a copy, or tell that it would be done.

        `is_cleared`: what is in the way would be gone by now.
        """
        source = self._source.label(step.source.name)
        target = self._target.label(step.source.name)
        if step.target is not None and not self._conduct.overwrite:
            raise ConflictError(
                f"{target} exists and differs from {source}", hint="add --overwrite"
            )
        copied: list[Event] = [Copied(source, target, step.source.size_bytes)]
        replaces = step.target is not None or (self._conduct.is_blind and not step.is_new)
        if self._conduct.dry_run:
            if not is_cleared:
                check_writable(self._target.place(step.source.name), replaces=replaces)
            advance(step.source.size_bytes)
            return lambda: copied
        copy = self._mover.begin_copy(step.source, advance, replaces=replaces)

        def finish() -> list[Event]:
            copy()
            if not self._has_written and self._target.is_file_tree:
                # Where there was no folder, it is this one from now on.
                self._target.check()
            self._has_written = True
            return copied

        return finish

    def _copy_blocked(self, source: Entry, removed: int, advance: Advance) -> list[Event]:
        """Copy to where a folder stood, or stands: one that has nothing left makes way.

        Args:
            source: what is copied.
            removed: how many things in that folder would be removed, in a dry run.
            advance: told of bytes.
        """
        place, is_cleared = self._target.place(source.name), False
        if self._conduct.removes and isinstance(place, FilePlace):
            if self._conduct.dry_run:
                is_cleared = count_below(place.root, place.name) == removed
            else:
                remove_hollow_folder(place.root, place.name)
        return self._begin_copy_now(Copy(source, None), advance, is_cleared=is_cleared)()

    def _remove(self, entries: Iterable[Entry], _: Advance) -> list[Event]:
        """Delete what the source still does not have; what appeared there meanwhile stays."""
        gone = [entry for entry in entries if self._source.lacks(entry.name)]
        failed: dict[str, Error] = {}
        if gone and not self._conduct.dry_run:
            failed = self._target.remove(gone)
        return [self._removed(entry, failed.get(entry.name)) for entry in gone]

    def _removed(self, entry: Entry, error: Error | None) -> Event:
        label = self._target.label(entry.name)
        return Removed(label, entry.size_bytes) if error is None else Failed(label, error)


def _do(begin: Begin, advance: Advance) -> list[Event]:
    return begin(advance)()


class _Last:
    """What is done when all else is: removals, and copies that something stands in the way of.

    Attributes:
        removals: what the source does not have.
        displacing: what needs a folder where a file stands that is removed.
        blocked: what goes where a folder stands that is perhaps removed with all it has.
    """

    def __init__(self) -> None:
        self.removals, self.displacing, self.blocked = EntrySpool(), EntrySpool(), EntrySpool()

    def removed_in_folders(self) -> Counter[str]:
        """Return how much is removed from each folder that something is blocked by."""
        blocked = {entry.name for entry in self.blocked}
        removed = (entry.name.split("/") for entry in self.removals if blocked)
        folders = ("/".join(path[:end]) for path in removed for end in range(1, len(path)))
        return Counter(folder for folder in folders if folder in blocked)

    def close(self) -> None:
        """Forget it."""
        for spool in (self.removals, self.displacing, self.blocked):
            spool.close()


def _gathered(
    steps: Iterable[Step],
) -> Iterator[list[Compare | Same] | Copy | Remove | Refuse | Skip]:
    """Yield steps in their order; those in a row that perhaps need nothing come together."""
    alike: list[Compare | Same] = []
    for step in steps:
        if isinstance(step, Compare | Same):
            alike.append(step)
            if len(alike) < _GATHERED_MAX:
                continue
        if alike:
            yield alike
            alike = []
        if not isinstance(step, Compare | Same):
            yield step
    if alike:
        yield alike
