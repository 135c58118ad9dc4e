"""Tells how two trees differ, by content; changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial

from ingot.base.errors import Error, UsageError
from ingot.base.progress import Progress
from ingot.client.addresses import Address, LocalAddress
from ingot.client.buckettree import BucketTree
from ingot.client.connections import Connections
from ingot.client.copier import Copier, PairMover
from ingot.client.crew import Advance, Crew, Task
from ingot.client.entries import Selection
from ingot.client.events import Differs, Event, Failed, Skipped, Unchanged
from ingot.client.localtree import LocalTree
from ingot.client.mirror import Pair
from ingot.client.plan import Compare, Copy, Refuse, Remove, Rules, Same, Skip, Step, plan
from ingot.client.pool import Done
from ingot.client.trees import Tree

ONLY_FIRST = "only-in-first"
ONLY_SECOND = "only-in-second"
SIZE = "size"
CONTENT = "content"


def open_compared(
    first: Address,
    second: Address,
    connections: Connections,
    copier: Copier,
    selection: Selection,
) -> Pair:
    """Open two folders, both of which must be there.

    Raises:
        NotFoundError: one does not exist.
        UsageError: one names no bucket.
    """
    local = [isinstance(side, LocalAddress) for side in (first, second)]
    trees = [
        _opened(side, connections, selection, against_files=any(local)) for side in (first, second)
    ]
    return Pair(trees[0], trees[1], PairMover(copier, trees[0], trees[1]))


def differences(pair: Pair, progress: Progress, *, workers: int) -> Generator[Event]:
    """Yield what differs (`Differs`), what is the same, and what could not be compared.

    Raises:
        NetworkError, DeniedError: a listing failed, or too many comparisons in a row did.
        Error: a side cannot be listed in order.
    """
    steps = plan(pair.source.entries(), pair.target.entries(), Rules(remove=True))
    with closing(Crew(progress, workers=workers).events(_tasks(pair, steps))) as events:
        yield from events


def _tasks(pair: Pair, steps: Iterable[Step]) -> Iterator[Task | Done[list[Event]]]:
    for step in steps:
        if isinstance(step, Compare):
            label = pair.source.label(step.source.name)
            yield Task(label, step.source.size_bytes, partial(_compare, pair, step))
        else:
            yield Done([_told(pair, step)])


def _told(pair: Pair, step: Copy | Same | Remove | Refuse | Skip) -> Event:
    match step:
        case Copy(source, None):
            return Differs(pair.source.label(source.name), "", ONLY_FIRST)
        case Copy(source):
            return _differs(pair, source.name, SIZE)
        case Remove(target):
            return Differs("", pair.target.label(target.name), ONLY_SECOND)
        case Same(source):
            return Unchanged(pair.source.label(source.name), source.size_bytes)
        case Refuse(name, reason, in_target):
            label = (pair.target if in_target else pair.source).label(name)
            return Failed(label, Error(f"{label}: {reason}"))
        case Skip(name, reason, in_target):
            return Skipped((pair.target if in_target else pair.source).label(name), reason)


def _compare(pair: Pair, step: Compare, advance: Advance) -> list[Event]:
    same = pair.mover.is_same(step.source, step.target)
    advance(step.source.size_bytes)
    if same:
        return [Unchanged(pair.source.label(step.source.name), step.source.size_bytes)]
    return [_differs(pair, step.source.name, CONTENT)]


def _differs(pair: Pair, name: str, how: str) -> Differs:
    return Differs(pair.source.label(name), pair.target.label(name), how)


def _opened(
    side: Address, connections: Connections, selection: Selection, *, against_files: bool
) -> Tree:
    if isinstance(side, LocalAddress):
        folder = LocalTree(side.path, selection)
        folder.check()
        return folder
    if not side.bucket:
        raise UsageError(f"{side} names no bucket", hint="write it like ALIAS/BUCKET[/KEY]")
    client = connections.client(side.alias)
    tree = BucketTree(client, side, selection, against_files=against_files)
    tree.check_not_missing()
    return tree
