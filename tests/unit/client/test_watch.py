from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import DeniedError, Error, NetworkError, NotFoundError
from ingot.base.retry import Backoff
from ingot.client import watch as watch_module
from ingot.client.events import Copied, Event, Failed, Noted
from ingot.client.inotify import FolderEvents
from ingot.client.watch import (
    PENDING_NAMES_MAX,
    Changes,
    FolderWatcher,
    PendingChanges,
    Watch,
    outermost,
)
from ingot.s3.documents.error import ErrorDocument
from ingot.s3client.body import SourceChangedError
from ingot.s3client.errors import service_error

NAMES = st.lists(st.sampled_from(["a", "b", "a-b", "a.txt"]), min_size=1, max_size=4).map("/".join)
MARKERS = NAMES.map("{}/".format)


class ManualClock:
    def __init__(self) -> None:
        self.time_s = 1000.0

    def now_ns(self) -> int:
        return int(self.time_s * 1e9)

    def monotonic_s(self) -> float:
        return self.time_s


class ScriptedRunner:
    """Notes what it is asked to compare and answers from a list: events, or an error."""

    def __init__(self, *answers: list[Event] | Error) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []

    def run(self, names: Sequence[str] = ()) -> Generator[Event]:
        self.asked.append(tuple(names))
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Error):
            raise answer
        yield from answer


def begin(runner: ScriptedRunner, pending: PendingChanges, **options: object) -> Generator[Event]:
    pauses: list[float] = []
    watch = Watch(
        runner,
        pending,
        period_s=options.get("period_s", 0.0),  # type: ignore[arg-type]
        clock=options.get("clock", ManualClock()),  # type: ignore[arg-type]
        sleep=options.get("sleep", pauses.append),  # type: ignore[arg-type]
    )
    return watch.run()


@given(names=st.lists(NAMES | MARKERS, max_size=12))
def test_outermost_names_cover_all_and_none_covers_another(names: list[str]) -> None:
    found = list(outermost(names))
    for name in names:
        assert sum(name == kept or name.startswith(kept + "/") for kept in found) == 1


def test_the_marker_of_a_folder_does_not_stand_for_what_is_in_it() -> None:
    assert list(outermost(["d/x", "d/", "d/sub/", "d-"])) == ["d-", "d/", "d/sub/", "d/x"]


class TestPending:
    def test_names_are_taken_once_and_without_those_below_others(self) -> None:
        pending = PendingChanges()
        pending.add(["a/b", "a", "c"])
        assert pending.take(0) == Changes(("a", "c"))
        assert not pending.take(0)

    def test_too_many_names_are_everything(self) -> None:
        pending = PendingChanges()
        pending.add(f"f{index}" for index in range(PENDING_NAMES_MAX + 1))
        pending.add(["later"])
        assert pending.take(0) == Changes(everything=True)

    def test_taking_waits_for_another_thread(self) -> None:
        pending = PendingChanges()
        threading.Timer(0.05, pending.add_everything).start()
        assert pending.take(30).everything


class TestWatch:
    def test_everything_is_compared_first_then_what_changed(self) -> None:
        pending = PendingChanges()
        runner = ScriptedRunner([Copied("a", "a", 1)])
        events = begin(runner, pending)
        assert next(events) == Copied("a", "a", 1)
        assert isinstance(next(events), Noted)
        pending.add(["b", "b/c"])
        runner.answers = [[Copied("b", "b", 1)]]
        assert next(events) == Copied("b", "b", 1)
        assert runner.asked == [(), ("b",)]

    @pytest.mark.parametrize("error", [NotFoundError("gone"), NetworkError("away")])
    def test_a_first_comparison_that_fails_ends_the_watch(self, error: Error) -> None:
        with pytest.raises(type(error)):
            list(begin(ScriptedRunner(error), PendingChanges()))

    def test_everything_is_compared_again_when_the_period_is_over(self) -> None:
        clock = ManualClock()
        runner = ScriptedRunner()
        events = begin(runner, PendingChanges(), period_s=60.0, clock=clock)
        next(events)
        runner.answers = [[Copied("a", "a", 1)]]
        clock.time_s += 60
        assert next(events) == Copied("a", "a", 1)
        assert runner.asked == [(), ()]

    @pytest.mark.parametrize(
        "outage",
        [
            NetworkError("away"),
            DeniedError("key expired"),
            [Failed("x", NetworkError("away"))],
            service_error(ErrorDocument("InternalError", "We failed."), 500, "b"),
        ],
    )
    def test_an_outage_is_waited_out_with_growing_pauses_and_all_is_compared(
        self, outage: list[Event] | Error
    ) -> None:
        pending = PendingChanges()
        pauses: list[float] = []
        runner = ScriptedRunner()
        events = begin(runner, pending, sleep=pauses.append)
        next(events)
        pending.add(["b"])
        runner.answers = [outage] * 4 + [[Copied("b", "b", 1)]]
        told = [next(events) for _ in range(6)]
        assert [type(event) for event in told] == [Noted] * 4 + [Copied, Noted]
        assert "trying again" in str(told[0])
        assert runner.asked == [(), ("b",), (), (), (), ()]
        assert len(pauses) == 4
        assert pauses[0] <= 1.0
        assert pauses[3] > pauses[0]

    def test_a_side_that_goes_away_ends_the_watch(self) -> None:
        pending = PendingChanges()
        runner = ScriptedRunner()
        events = begin(runner, pending)
        next(events)
        pending.add(["b"])
        runner.answers = [NotFoundError("the bucket is gone")]
        with pytest.raises(NotFoundError):
            next(events)

    def test_a_file_in_flux_is_not_told_as_failed_for_its_change_has_an_event(self) -> None:
        flux = Failed("a", SourceChangedError("a changed"))
        events = begin(ScriptedRunner([flux, Failed("b", Error("broken"))]), PendingChanges())
        assert [getattr(event, "source", "") for event in (next(events), next(events))] == ["b", ""]


class TestFolderWatcher:
    def wait(self, pending: PendingChanges, wanted: Callable[[set[str]], bool]) -> set[str]:
        seen: set[str] = set()
        deadline = time.monotonic() + 20
        while not wanted(seen):
            assert time.monotonic() < deadline, seen
            changes = pending.take(0.2)
            seen.update(changes.names, [""] if changes.everything else [])
        return seen

    def test_nothing_is_missed_from_the_moment_it_is_entered(self, tmp_path: Path) -> None:
        pending = PendingChanges()
        (tmp_path / "old").write_text("")
        with FolderWatcher(tmp_path, pending):
            (tmp_path / "new").write_text("")
            (tmp_path / "old").unlink()
            self.wait(pending, lambda seen: {"new", "old"} <= seen)

    def test_names_of_no_interest_are_not_passed_on(self, tmp_path: Path) -> None:
        pending = PendingChanges()
        with FolderWatcher(tmp_path, pending, lambda name: not name.endswith(".tmp")):
            (tmp_path / "a.tmp").write_text("")
            (tmp_path / "b").write_text("")
            assert "a.tmp" not in self.wait(pending, lambda seen: "b" in seen)

    def test_a_watcher_that_breaks_starts_again_and_asks_for_everything(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        breaks = threading.Event()

        class Fragile(FolderEvents):
            def take(self, timeout_s: float, *, step_s: float, burst_s: float) -> set[str]:
                if breaks.is_set():
                    breaks.clear()
                    raise RuntimeError("inotify broke")
                return super().take(timeout_s, step_s=step_s, burst_s=burst_s)

        monkeypatch.setattr(watch_module, "FolderEvents", Fragile)
        monkeypatch.setattr(watch_module, "_RESTART", Backoff(attempts=100, first_s=0.01))
        pending = PendingChanges()
        with FolderWatcher(tmp_path, pending):
            breaks.set()
            self.wait(pending, lambda seen: "" in seen)
            (tmp_path / "after").write_text("")
            self.wait(pending, lambda seen: bool({"after", ""} & seen))

    @pytest.mark.parametrize(
        ("number", "limit"),
        [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")],
    )
    def test_a_limit_of_watches_is_an_error_with_a_remedy(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, limit: str
    ) -> None:
        def refuse(*_: object, **__: object) -> FolderEvents:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(watch_module, "FolderEvents", refuse)
        with (
            pytest.raises(Error, match="the system's limit of") as caught,
            FolderWatcher(tmp_path, PendingChanges()),
        ):
            pytest.fail("it must not begin")
        assert limit in str(caught.value.hint)
