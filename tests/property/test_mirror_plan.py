"""Goal: a plan makes any target like any source, in bounded memory. Method: models of both sides.

A side is a mapping of names to contents. Applying the steps must give the source, and the plan
made after that must change nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingot.base.errors import Error
from ingot.client.entries import Entry, Listed, Obstacle
from ingot.client.plan import Compare, Copy, Refuse, Remove, Rules, Same, Skip, Step, plan

SEGMENTS = st.sampled_from(
    ["a", "b", "a-b", "a.txt", "a!", "é", "\uffff", "\U00010000", "0", "ab", "a b"]
)
NAMES = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
CONTENTS = st.binary(max_size=3)
BUCKETS = st.dictionaries(NAMES, CONTENTS, max_size=25)

Side = dict[str, bytes]


def without_shadowed(side: Side) -> Side:
    """Keep what a file tree can hold: nothing below a name that is a file."""
    kept: Side = {}
    for name in sorted(side):
        parts = name.split("/")
        if not any("/".join(parts[:end]) in kept for end in range(1, len(parts))):
            kept[name] = side[name]
    return kept


TREES = BUCKETS.map(without_shadowed)


def listing(side: Side, *, with_etags: bool = True) -> list[Entry]:
    return [
        Entry(
            name,
            len(side[name]),
            etag=hashlib.md5(side[name]).hexdigest() if with_etags else None,
        )
        for name in sorted(side, key=lambda name: name.encode())
    ]


def apply(steps: Iterable[Step], source: Side, target: Side) -> tuple[Side, int]:
    """Carry the steps out on a copy of the target; return it and how many names changed."""
    result = dict(target)
    changed = 0
    for step in steps:
        match step:
            case Copy():
                changed += 1
                result[step.source.name] = source[step.source.name]
            case Compare():
                if source[step.source.name] != target[step.source.name]:
                    changed += 1
                    result[step.source.name] = source[step.source.name]
            case Remove():
                changed += 1
                del result[step.target.name]
            case Same() | Refuse() | Skip():
                pass
    return result, changed


@given(source=BUCKETS, target=BUCKETS, etags=st.booleans())
@example(source={"a": b"1", "a/b": b"2"}, target={"a.txt": b"3", "a-b": b""}, etags=True)
def test_applying_the_plan_makes_the_target_equal_and_a_second_plan_changes_nothing(
    source: Side, target: Side, etags: bool
) -> None:
    rules = Rules(remove=True)
    steps = plan(listing(source), listing(target, with_etags=etags), rules)
    result, _ = apply(steps, source, target)
    assert source == result
    again = list(plan(listing(source), listing(result, with_etags=etags), rules))
    assert (result, 0) == apply(again, source, result)


@given(source=BUCKETS, target=BUCKETS)
def test_without_remove_nothing_of_the_target_is_lost(source: Side, target: Side) -> None:
    result, _ = apply(plan(listing(source), listing(target), Rules()), source, target)
    assert {**target, **source} == result


@given(source=BUCKETS, target=TREES)
def test_a_file_tree_gets_all_that_it_can_hold_and_each_other_name_is_refused(
    source: Side, target: Side
) -> None:
    rules = Rules(remove=True, target_is_tree=True)
    steps = list(plan(listing(source), listing(target), rules))
    result, _ = apply(steps, source, target)
    refused = {step.name for step in steps if isinstance(step, Refuse)}
    assert without_shadowed(source) == {k: v for k, v in result.items() if k not in refused}
    assert source.keys() - without_shadowed(source).keys() == refused


@given(source=TREES, target=BUCKETS, data=st.data())
def test_nothing_below_what_cannot_be_read_is_removed(
    source: Side, target: Side, data: st.DataObject
) -> None:
    closed = data.draw(st.sampled_from(["a", "b/", "a/b/", "é"]))
    prefix = closed.rstrip("/") + "/"
    visible = {
        name: content
        for name, content in source.items()
        if name != closed and not name.startswith(prefix)
    }
    wanted: list[Listed] = [
        *listing(visible),
        Obstacle(closed, "cannot be read", is_failure=True),
    ]
    wanted.sort(key=lambda item: item.name)
    steps = list(plan(wanted, listing(target), Rules(remove=True)))
    result, _ = apply(steps, visible, target)
    protected = {k: v for k, v in target.items() if k == closed or k.startswith(prefix)}
    assert {**visible, **protected} == result
    assert sum(isinstance(step, Refuse) for step in steps) == 1


@given(source=BUCKETS, target=TREES, data=st.data())
def test_nothing_is_written_below_a_link_of_the_target(
    source: Side, target: Side, data: st.DataObject
) -> None:
    link = data.draw(st.sampled_from(["a", "b", "a/b"]))
    prefix = link + "/"
    seen = {k: v for k, v in target.items() if k != link and not k.startswith(prefix)}
    present: list[Listed] = [*listing(seen), Obstacle(link, "is a link", is_failure=False)]
    present.sort(key=lambda item: item.name)
    for step in plan(listing(source), present, Rules(remove=True)):
        if isinstance(step, Copy | Compare | Same):
            assert step.source.name != link
            assert not step.source.name.startswith(prefix)


@given(source=BUCKETS, target=BUCKETS)
def test_the_plan_reads_one_entry_ahead_of_each_listing(source: Side, target: Side) -> None:
    read = [0, 0]

    def counted(side: int, entries: list[Entry]) -> Iterator[Entry]:
        for entry in entries:
            read[side] += 1
            yield entry

    left, right = listing(source), listing(target)
    settled: set[str] = set()
    for step in plan(counted(0, left), counted(1, right), Rules(remove=True)):
        name = step.target.name if isinstance(step, Remove) else step.source.name  # type: ignore[union-attr] # no obstacles here
        settled.add(name)
        assert read[0] <= sum(entry.name in settled for entry in left) + 1
        assert read[1] <= sum(entry.name in settled for entry in right) + 1


@pytest.mark.parametrize("side", [0, 1])
def test_a_listing_out_of_order_is_refused(side: int) -> None:
    listings = [[Entry("a", 1)], [Entry("a", 1)]]
    listings[side] = [Entry("b", 1), Entry("a", 1)]
    with pytest.raises(Error, match="out of order"):
        list(plan(listings[0], listings[1], Rules(remove=True)))
