"""What progress tells: how much, how fast, how long still, and what failed."""

from __future__ import annotations

import io
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.cli import progress
from ingot.cli._gauge import Gauge

MIB = 1 << 20


def test_bytes_have_a_rate_and_an_end() -> None:
    gauge = Gauge("bytes", 40 * MIB, 0.0)
    for second in range(1, 11):
        gauge.advance(MIB, float(second))
    assert gauge.amount() == "10.0 MiB of 40.0 MiB"
    assert gauge.pace(10.0) == "1.0 MiB/s, 30.0 s left"


def test_the_rate_is_that_of_the_last_seconds() -> None:
    gauge = Gauge("bytes", None, 0.0)
    gauge.advance(1000 * MIB, 1.0)
    for second in range(2, 60):
        gauge.advance(MIB, float(second))
    assert gauge.rate(59.0) == pytest.approx(MIB, rel=0.1)
    # Nothing comes any more: the rate sinks.
    assert gauge.rate(118.0) < MIB / 2


def test_failures_are_told() -> None:
    gauge = Gauge("objects", 9, 0.0)
    gauge.advance(3, 1.0)
    gauge.failed += 1
    assert (gauge.amount(), gauge.pace(1.0)) == ("3 of 9 objects, 1 failed", "3.0/s, 2.0 s left")


@given(st.lists(st.tuples(st.integers(-5, 50), st.floats(0, 5)), max_size=200))
def test_nothing_that_happens_breaks_it(steps: list[tuple[int, float]]) -> None:
    now_s = 0.0
    gauge = Gauge("objects", 100, now_s)
    for amount, pause_s in steps:
        now_s += pause_s
        gauge.advance(amount, now_s)
        assert gauge.rate(now_s) >= 0
        left_s = gauge.remaining_s(now_s)
        assert left_s is None or left_s >= 0
    gauge.pace(now_s)


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with (
        progress.progress_for(stream) as shown,
        shown.task("data", total=30 * MIB, unit="bytes") as data,
        shown.task("objects", unit="objects") as objects,
    ):
        for _ in range(20):
            now[0] += 1
            data.advance(MIB)
            objects.advance()
        objects.fail()
        now[0] += 10
        objects.advance()
    assert stream.getvalue().splitlines() == [
        "data: 10.0 MiB of 30.0 MiB, 1.0 MiB/s, 20.0 s left",
        "objects: 10 objects, 1.0/s",
        "data: 20.0 MiB of 30.0 MiB, 1.0 MiB/s, 10.0 s left",
        "objects: 20 objects, 1.0/s",
        "objects: 21 objects, 1 failed, 0.4/s",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_bars_are_drawn_and_names_cannot_steer_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with progress.progress_for(stream) as shown, shown.task("a\x1b]0;[red]x", total=4) as task:
        task.advance(2)
        task.fail()
        task.total(8)
        # Bars are drawn a few times a second.
        deadline_s = time.monotonic() + 30
        while "2 of 8, 1 failed" not in stream.getvalue():
            assert time.monotonic() < deadline_s, stream.getvalue()
            time.sleep(0.05)
    assert "a\\x1b]0;[red]x" in stream.getvalue()
