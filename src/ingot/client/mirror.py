"""Makes one tree like another: checks both sides, plans by their listings, and carries it out."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain

from msgspec import structs

from ingot.base.errors import UsageError
from ingot.base.progress import Progress
from ingot.client.ages import Age
from ingot.client.entries import Entry, Listed
from ingot.client.events import Event, Failed, Noted
from ingot.client.execute import Conduct, Executor, Mover
from ingot.client.plan import Compare, Copy, Rules, Step, plan
from ingot.client.removals import RemovalLimitError
from ingot.client.trees import Tree


def _is_too_many(event: Event) -> bool:
    return isinstance(event, Failed) and isinstance(event.error, RemovalLimitError)


@dataclass(frozen=True, slots=True)
class Only:
    """Which of the source's entries are copied; the others count as there, and stay as they are.

    Attributes:
        age: tells when they were written, at the beginning of each comparison: "a day ago" is
            another moment every time.
        not_classes: storage classes that are left out.
    """

    age: Callable[[], Age] = Age
    not_classes: frozenset[str] = frozenset()

    def now(self) -> Callable[[Entry], bool]:
        """Return what tells, from now on, whether an entry is copied."""
        age = self.age()
        return lambda entry: (
            age.admits(entry.modified_ns) and entry.storage_class not in self.not_classes
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Two trees and what moves contents from the first to the second."""

    source: Tree
    target: Tree
    mover: Mover


class Mirror:
    """Makes a pair's target like its source, wholly or below some names.

    Args:
        pair: the trees.
        conduct: how copies are made.
        remove: delete what only the target has.
        progress: is told of objects and bytes.
        only: what is copied; None for everything.
    """

    def __init__(
        self,
        pair: Pair,
        conduct: Conduct,
        *,
        remove: bool,
        progress: Progress,
        only: Only | None = None,
    ) -> None:
        self._pair = pair
        self._conduct = replace(conduct, removes=remove)
        self._remove = remove
        self._progress = progress
        self._only = only or Only()

    def run(self, names: Sequence[str] = ()) -> Generator[Event]:
        """Compare and copy, yielding what happens as it happens.

        Args:
            names: only these and what is below them; all if empty.

        Raises:
            NotFoundError: the source, or the target's bucket, does not exist.
            NetworkError, DeniedError: a listing failed, or too many items in a row did.
            Error: a side cannot be read.
        """
        source, target = self._pair.source, self._pair.target
        source.check()
        if names:
            steps: Iterator[Step] = chain.from_iterable(
                self._steps(source.entries(name), target.entries(name)) for name in names
            )
            limit = self._conduct.removal_limit.of_part()
            is_part = limit != self._conduct.removal_limit
        else:
            target.check()
            steps = self._steps(source.entries(), target.entries())
            limit, is_part = self._conduct.removal_limit, False
        conduct = replace(self._conduct, removal_limit=limit)
        with closing(self._carried_out(steps, conduct)) as events:
            for event in events:
                if not (is_part and _is_too_many(event)):
                    yield event
                    continue
                # Of a part nobody knows what share of the target it is: all of it must be seen.
                yield Noted("many names are gone: everything is compared before they are deleted")
                yield from self.run()

    def run_into_nothing(self) -> Generator[Event]:
        """Tell, in a dry run, what a target would get that is not there yet.

        Raises:
            Error: as `run`.
        """
        assert self._conduct.dry_run, "nobody has made the target"
        self._pair.source.check()
        yield from self._carried_out(self._steps(self._pair.source.entries(), ()), self._conduct)

    def run_without_comparing(self, age: Age) -> Generator[Event]:
        """Copy everything of that age, whatever the target has (`cp --recursive`).

        Raises:
            Error: as `run`.
        """
        self._pair.source.check()
        self._pair.target.check()
        entries = (
            item
            for item in self._pair.source.entries()
            if not isinstance(item, Entry) or age.admits(item.modified_ns)
        )
        conduct = replace(self._conduct, is_blind=True)
        steps = self._steps(entries, ())
        if self._pair.target.is_file_tree:
            steps = self._into_folders(steps)
        yield from self._carried_out(steps, conduct)

    def _into_folders(self, steps: Iterable[Step]) -> Iterator[Step]:
        """Tidy each folder of the target before the first entry goes into it, and mark what is new.

        What is new is not replaced: what has its name when it is written was written by this very
        run, under a name that the file system takes for the same.
        """
        # What is below a folder comes in a row, so those above an entry are enough to remember.
        above: list[tuple[str, frozenset[str] | None]] = []
        for step in steps:
            if not isinstance(step, Copy):
                yield step
                continue
            name = step.source.name
            folder = name[: name.rfind("/") + 1]
            while above and not folder.startswith(above[-1][0]):
                above.pop()
            if not above:
                above.append(("", self._pair.target.tidied("")))
            while above[-1][0] != folder:
                outer, names = above[-1]
                inner = folder[len(outer) : folder.index("/", len(outer))]
                found = self._pair.target.tidied(f"{outer}{inner}/")
                # By another name it may be there by now, with what was copied into it.
                is_new = names is not None and inner not in names
                above.append((f"{outer}{inner}/", frozenset() if is_new else found))
            names = above[-1][1]
            is_new = names is not None and name[len(folder) :] not in names
            yield structs.replace(step, is_new=True) if is_new else step

    def _carried_out(self, steps: Iterable[Step], conduct: Conduct) -> Generator[Event]:
        executor = Executor(self._pair.source, self._pair.target, self._pair.mover, conduct)
        with closing(executor.events(steps, self._progress)) as events:
            yield from events

    def _steps(self, wanted: Iterable[Listed], present: Iterable[Listed]) -> Iterator[Step]:
        rules = Rules(remove=self._remove, target_is_tree=self._pair.target.is_file_tree)
        admits = self._only.now()
        for step in plan(wanted, present, rules):
            if not isinstance(step, Copy | Compare) or admits(step.source):
                yield step

    def refuse_emptying(self) -> None:
        """Make sure that removing will not empty the target because the source is empty.

        An empty source is more often a volume that is not mounted than a wish.

        Raises:
            NotFoundError: the source, or the target's bucket, does not exist.
            UsageError: the source has nothing, the target has something.
        """
        source, target = self._pair.source, self._pair.target
        source.check()
        target.check()
        if next(source.entries(), None) is None and next(target.entries(), None) is not None:
            raise UsageError(
                f"the source {source.label('')} is empty, so --remove would delete everything in"
                f" {target.label('')}",
                hint="if that is what you want, add --allow-empty-source",
            )
