"""Mirrors of trees in memory: retries, giving up, removals, dry runs, the empty source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from ingot.base.errors import (
    ConflictError,
    DeniedError,
    Error,
    NetworkError,
    NotFoundError,
    PartialError,
    UsageError,
)
from ingot.base.progress import SILENT
from ingot.base.retry import Backoff
from ingot.client import crew
from ingot.client.crew import HOPELESS_FAILURES_MAX, VanishedError
from ingot.client.entries import Entry, Listed, Obstacle, Stamp
from ingot.client.events import Copied, Event, Failed, Removed, Skipped, Tally, Unchanged
from ingot.client.execute import Conduct
from ingot.client.mirror import Mirror, Pair
from ingot.client.places import FilePlace, Place
from ingot.client.removals import RemovalLimit, RemovalLimitError
from ingot.client.spool import EntrySpool
from ingot.s3client.body import SourceChangedError


class MemoryTree:
    """A tree in memory."""

    is_file_tree = False

    def __init__(self, **contents: bytes) -> None:
        self.contents = dict(contents)
        self.obstacles: list[Obstacle] = []
        self.vanished = False
        self.settled = 0
        self.removals: list[list[str]] = []
        self.failing: dict[str, Error] = {}

    def check(self) -> None:
        if self.vanished:
            raise NotFoundError("the tree vanished")

    def entries(self, below: str = "") -> Iterator[Listed]:
        listed: list[Listed] = [
            Entry(name, len(data))
            for name, data in self.contents.items()
            if not below or name == below or name.startswith(below + "/")
        ]
        yield from sorted([*listed, *self.obstacles], key=lambda item: item.name)

    def lacks(self, name: str) -> bool:
        self.check()
        return name not in self.contents

    def remove(self, entries: Sequence[Entry]) -> dict[str, Error]:
        names = [entry.name for entry in entries]
        self.removals.append(names)
        for name in names:
            if name not in self.failing:
                self.contents.pop(name, None)
        return {name: self.failing[name] for name in names if name in self.failing}

    def settle(self) -> None:
        self.settled += 1

    def place(self, name: str) -> Place:
        return FilePlace(Path("/"), name)

    def name_problem(self, name: str) -> str | None:
        return None

    def label(self, name: str) -> str:
        return name


class MemoryMover:
    """Copies between two trees in memory; raises what it is told to, one after the other."""

    def __init__(self, source: MemoryTree, target: MemoryTree) -> None:
        self.source = source
        self.target = target
        self.raises: dict[str, list[BaseException]] = {}
        self.always: BaseException | None = None
        self.known: set[str] = set()

    def is_brief(self, source: Entry) -> bool:
        return len(source.name) % 2 == 0

    def begin_copy(
        self, source: Entry, advance: Callable[[int], None], *, replaces: bool
    ) -> Callable[[], None]:
        if source.name.endswith("2"):
            self._copy(source, advance)  # all of it in the first step
            return lambda: None
        return partial(self._copy, source, advance)

    def _copy(self, source: Entry, advance: Callable[[int], None]) -> None:
        advance(source.size_bytes)
        if self.always is not None:
            raise self.always
        if errors := self.raises.get(source.name):
            raise errors.pop(0)
        self.target.contents[source.name] = self.source.contents[source.name]

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        return [source.name in self.known for source, _ in pairs]

    def is_same(self, source: Entry, target: Entry) -> bool:
        return self.source.contents[source.name] == self.target.contents[target.name]


class Setting:
    def __init__(self, source: MemoryTree, target: MemoryTree) -> None:
        self.source = source
        self.target = target
        self.mover = MemoryMover(source, target)

    def mirror(self, *, remove: bool = False, **conduct: object) -> Mirror:
        pair = Pair(self.source, self.target, self.mover)
        return Mirror(pair, Conduct(**conduct), remove=remove, progress=SILENT)  # type: ignore[arg-type]

    def run(self, *, remove: bool = False, **conduct: object) -> list[Event]:
        return list(self.mirror(remove=remove, **conduct).run())


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(attempts: int) -> Backoff:
        return Backoff(attempts=attempts, first_s=0.0, limit_s=0.0)

    monkeypatch.setattr(crew, "Backoff", quick)


def by_name(events: list[Event]) -> dict[str, str]:
    return {
        getattr(event, "source", None) or getattr(event, "target", ""): type(event).__name__
        for event in events
    }


def test_each_name_gets_what_it_needs() -> None:
    setting = Setting(
        MemoryTree(new=b"1", same=b"2", other=b"3", empty=b""),
        MemoryTree(same=b"2", other=b"4", extra=b"5", empty=b""),
    )
    events = setting.run(remove=True, overwrite=True)
    assert by_name(events) == {
        "new": "Copied",
        "same": "Unchanged",
        "other": "Copied",
        "extra": "Removed",
        "empty": "Unchanged",
    }
    assert setting.source.contents == setting.target.contents


def test_what_is_known_to_be_the_same_is_not_compared() -> None:
    names = [f"n{number:03}" for number in range(300)]
    setting = Setting(
        MemoryTree(**dict.fromkeys(names, b"1")), MemoryTree(**dict.fromkeys(names, b"2"))
    )
    # Some are known, in every place that a group of them may have.
    setting.mover.known = {name for number, name in enumerate(names) if number % 7}
    found = by_name(setting.run(overwrite=True))
    assert found == {
        name: "Unchanged" if name in setting.mover.known else "Copied" for name in names
    }


def test_a_dry_run_tells_the_same_and_changes_nothing() -> None:
    setting = Setting(MemoryTree(a=b"1", b=b"2"), MemoryTree(b=b"3", c=b"4"))
    events = setting.run(remove=True, overwrite=True, dry_run=True)
    assert by_name(events) == {"a": "Copied", "b": "Copied", "c": "Removed"}
    assert setting.target.contents == {"b": b"3", "c": b"4"}


def test_what_differs_is_a_conflict_without_overwriting() -> None:
    setting = Setting(MemoryTree(a=b"1"), MemoryTree(a=b"2"))
    (event,) = setting.run()
    assert isinstance(event, Failed)
    assert isinstance(event.error, ConflictError)
    assert setting.target.contents == {"a": b"2"}


@pytest.mark.parametrize("error", [NetworkError("away"), SourceChangedError("changed")])
def test_what_may_pass_is_tried_again(error: Error) -> None:
    setting = Setting(MemoryTree(a=b"1"), MemoryTree())
    setting.mover.raises["a"] = [error, error]
    assert by_name(setting.run(attempts=3)) == {"a": "Copied"}
    setting.target.contents.clear()
    setting.mover.raises["a"] = [error, error]
    (event,) = setting.run(attempts=2)
    assert isinstance(event, Failed)


def test_what_this_machine_refuses_for_one_does_not_end_the_others() -> None:
    setting = Setting(MemoryTree(a=b"1", b=b"2"), MemoryTree())
    setting.mover.raises["a"] = [PermissionError(13, "Permission denied")]
    assert by_name(setting.run()) == {"a": "Failed", "b": "Copied"}


def test_what_will_not_pass_is_not_tried_again() -> None:
    setting = Setting(MemoryTree(a=b"1"), MemoryTree())
    setting.mover.raises["a"] = [DeniedError("no"), DeniedError("no")]
    (event,) = setting.run()
    assert isinstance(event, Failed)
    assert len(setting.mover.raises["a"]) == 1


def test_what_vanished_is_left_out() -> None:
    setting = Setting(MemoryTree(a=b"1", b=b"2"), MemoryTree())
    setting.mover.raises["a"] = [VanishedError("gone")]
    assert by_name(setting.run()) == {"a": "Skipped", "b": "Copied"}


@pytest.mark.parametrize("kind", [NetworkError, DeniedError])
def test_a_run_that_is_in_vain_ends_early(kind: type[Error]) -> None:
    setting = Setting(MemoryTree(**{f"f{i:03}": b"1" for i in range(500)}), MemoryTree())
    setting.mover.always = kind("peer away", hint="look there")
    events: list[Event] = []
    with pytest.raises(kind, match=r"gave up .* peer away") as caught:
        events.extend(setting.mirror(attempts=1, workers=2).run())
    assert caught.value.hint == "look there"
    assert caught.value.exit_code == kind.exit_code


def test_failures_between_successes_do_not_end_the_run() -> None:
    names = [f"f{i:03}" for i in range(4 * HOPELESS_FAILURES_MAX)]
    setting = Setting(MemoryTree(**dict.fromkeys(names, b"1")), MemoryTree())
    for name in names[::2]:
        setting.mover.raises[name] = [NetworkError("once")]
    events = setting.run(attempts=1, workers=1)
    assert len(events) == len(names)
    assert sum(isinstance(event, Failed) for event in events) == len(names) // 2


def test_removals_go_a_thousand_at_a_time_and_each_failure_is_told() -> None:
    extra = {f"x{i:04}": b"" for i in range(2500)}
    setting = Setting(MemoryTree(a=b"1"), MemoryTree(a=b"1", **extra))
    setting.target.failing["x0007"] = DeniedError("locked")
    events = setting.run(remove=True, removal_limit=RemovalLimit(percent=None))
    assert [len(batch) for batch in setting.target.removals] == [1000, 1000, 500]
    assert [event.source for event in events if isinstance(event, Failed)] == ["x0007"]


@pytest.mark.parametrize(
    ("limit", "extra", "removed"),
    [("50%", 100, 100), ("50%", 150, 0), ("60%", 150, 150), ("149", 150, 0), ("150", 150, 150)],
)
def test_more_removals_than_allowed_are_none(limit: str, extra: int, removed: int) -> None:
    kept = {f"k{i:04}": b"" for i in range(100)}
    others = {f"x{i:04}": b"" for i in range(extra)}
    setting = Setting(MemoryTree(**kept, new=b"1"), MemoryTree(**kept, **others))
    events = setting.run(remove=True, removal_limit=RemovalLimit.parse(limit))
    assert sum(isinstance(event, Removed) for event in events) == removed
    failures = [event.error for event in events if isinstance(event, Failed)]
    assert [type(error) for error in failures] == ([] if removed else [RemovalLimitError])
    assert len(setting.target.contents) == 100 + 1 + extra - removed


@pytest.mark.parametrize(("kept", "removed"), [(100, 0), (200, 150)])
def test_many_names_that_go_at_once_are_weighed_against_all(kept: int, removed: int) -> None:
    def named(letter: str, count: int) -> dict[str, bytes]:
        return {f"{letter}{index:03}": b"1" for index in range(count)}

    gone = named("gone", 150)
    setting = Setting(MemoryTree(**named("k", kept)), MemoryTree(**named("k", kept), **gone))
    # As a watch is told of them, one by one.
    events = list(setting.mirror(remove=True).run(list(gone)))
    assert sum(isinstance(event, Removed) for event in events) == removed
    refused = [event for event in events if isinstance(event, Failed)]
    assert len(refused) == (0 if removed else 1)
    assert len(setting.target.contents) == kept + 150 - removed
    # A number is a number, also of a part.
    limit = RemovalLimit(count=200, percent=None)
    list(setting.mirror(remove=True, removal_limit=limit).run(list(gone)))
    assert len(setting.target.contents) == kept


@pytest.mark.parametrize("text", ["", "101%", "-1", "1.5", "half", "\u0661"])
def test_a_removal_limit_is_a_number_or_a_share(text: str) -> None:
    with pytest.raises(UsageError):
        RemovalLimit.parse(text)


def test_removals_wait_in_order_and_keep_odd_names() -> None:
    stamp = Stamp(1, 2, 3, 4, 5)
    entries = [Entry(f"{index:04}\udcff\n", index, 7, "e", stamp, "COLD") for index in range(1000)]
    entries.append(Entry("last", 1))
    with closing(EntrySpool()) as spool:
        for entry in entries:
            spool.add(entry)
        batches = list(spool.batches(1000))
    assert [len(batch) for batch in batches] == [1000, 1]
    assert [entry for batch in batches for entry in batch] == entries


def test_a_source_that_vanishes_meanwhile_empties_nothing() -> None:
    setting = Setting(MemoryTree(a=b"1"), MemoryTree(a=b"1", x=b"2"))

    def vanish() -> Iterator[Listed]:
        yield from ()
        setting.source.vanished = True

    setting.source.entries = lambda below="": vanish()  # type: ignore[method-assign]
    (event,) = setting.run(remove=True)
    assert isinstance(event, Failed)
    assert isinstance(event.error, NotFoundError)
    assert setting.target.contents == {"a": b"1", "x": b"2"}


def test_what_appears_meanwhile_is_not_removed() -> None:
    setting = Setting(MemoryTree(a=b"1"), MemoryTree(a=b"1", late=b"2"))
    listed = list(setting.source.entries())
    setting.source.entries = lambda below="": iter(listed)  # type: ignore[method-assign]
    setting.source.contents["late"] = b"2"
    assert by_name(setting.run(remove=True)) == {"a": "Unchanged"}
    assert "late" in setting.target.contents


def test_what_cannot_be_read_is_told_and_its_counterpart_stays() -> None:
    setting = Setting(MemoryTree(z=b"1"), MemoryTree(**{"d/x": b"2", "link": b"3"}))
    setting.source.obstacles = [
        Obstacle("d/", "cannot be read", is_failure=True),
        Obstacle("link", "is a symbolic link", is_failure=False),
    ]
    assert by_name(setting.run(remove=True)) == {"d/": "Failed", "link": "Skipped", "z": "Copied"}
    assert setting.target.contents.keys() == {"d/x", "link", "z"}


def test_names_limit_a_run_to_what_is_below_them() -> None:
    setting = Setting(
        MemoryTree(**{"a": b"1", "a/b": b"1", "a-b": b"1", "c": b"1"}),
        MemoryTree(**{"a/x": b"2", "d": b"2"}),
    )
    events = list(setting.mirror(remove=True).run(["a", "d"]))
    assert by_name(events) == {"a": "Copied", "a/b": "Copied", "a/x": "Removed", "d": "Removed"}


def test_an_empty_source_may_not_empty_the_target() -> None:
    with pytest.raises(UsageError, match="is empty"):
        Setting(MemoryTree(), MemoryTree(a=b"1")).mirror(remove=True).refuse_emptying()
    Setting(MemoryTree(), MemoryTree()).mirror(remove=True).refuse_emptying()
    Setting(MemoryTree(a=b"1"), MemoryTree(b=b"1")).mirror(remove=True).refuse_emptying()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([Copied("a", "a", 1)], None),
        ([Skipped("a", "link")], None),
        ([Failed("a", DeniedError("no")), Failed("b", DeniedError("no"))], DeniedError),
        ([Failed("a", DeniedError("no")), Failed("b", NotFoundError("no"))], PartialError),
        ([Failed("a", DeniedError("no")), Unchanged("b", 1)], PartialError),
        ([Failed("a", DeniedError("no")), Removed("b", 1)], PartialError),
        ([Failed("a", SourceChangedError("no"))], ConflictError),
    ],
)
def test_the_verdict_tells_partial_failure_from_total(
    events: list[Event], expected: type[Error] | None
) -> None:
    tally = Tally()
    for event in events:
        tally.add(event)
    verdict = tally.verdict("objects")
    assert (type(verdict) if verdict else None) is expected
