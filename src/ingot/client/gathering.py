"""Tells whether what several sources have would come together under one name in the target."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from ingot.base.errors import UsageError
from ingot.client.ages import Age
from ingot.client.entries import Entry
from ingot.client.localnames import printable
from ingot.client.mirror import Pair
from ingot.client.places import FilePlace, Place


class Arrival(NamedTuple):
    """What something is called in the target, and what people call it now."""

    target: str
    source: str


def check_all_differ(arrivals: Iterable[Iterable[Arrival]]) -> None:
    """Make sure that nothing would take the place of what another source has just brought.

    Args:
        arrivals: of each source, in order.

    Raises:
        UsageError: two would become one.
    """
    for one, other in pairwise(heapq.merge(*arrivals)):
        if one.target == other.target:
            raise UsageError(
                f"{one.source} and {other.source} would both become {printable(one.target)}",
                hint="copy one after the other, or to different folders",
            )


def arrivals_of(pair: Pair, age: Age) -> Iterator[Arrival]:
    """Yield what a folder brings, in order, of what is of that age."""
    for item in pair.source.entries():
        if isinstance(item, Entry) and age.admits(item.modified_ns):
            yield arrival(pair.target.place(item.name), pair.source.label(item.name))


def arrival(target: Place, source: str) -> Arrival:
    """Return what one thing is called there."""
    text = str(target.path) if isinstance(target, FilePlace) else str(target.address)
    return Arrival(text, source)
