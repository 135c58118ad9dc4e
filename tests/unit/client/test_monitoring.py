"""The monitoring endpoint: what it counts, whom it answers, and where."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Generator

import pytest

from ingot.base.errors import Error, UsageError
from ingot.client.events import Copied, Event, Failed, Noted, Removed, Unchanged
from ingot.client.monitoring import Monitor


def happening() -> Generator[Event]:
    yield Copied("a", "b", 5)
    yield Copied("c", "d", 7)
    yield Removed("x", 1)
    yield Unchanged("y", 1)
    yield Noted("connected again")
    yield Failed("z", Error("no"))


def test_events_pass_and_are_counted() -> None:
    with Monitor(":0") as monitor:
        passed = list(monitor.watched(happening()))
        assert [type(event) for event in passed] == [type(event) for event in happening()]
        url = f"http://{monitor.address}"
        assert monitor.address.startswith("127.0.0.1:")
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
            assert answer.headers["Content-Type"].startswith("text/plain")
        with pytest.raises(urllib.error.HTTPError, match="404") as missing:
            urllib.request.urlopen(f"{url}/other")
        missing.value.close()
    values = dict(line.split() for line in lines if not line.startswith("#"))
    assert {name: values[f"ingot_mirror_{name}"] for name in ("copied_total", "failed_total")} == {
        "copied_total": "2",
        "failed_total": "1",
    }
    assert values["ingot_mirror_copied_bytes_total"] == "12"
    assert float(values["ingot_mirror_last_failure_time_seconds"]) > 0
    assert len(values) * 3 == len(lines)


@pytest.mark.parametrize("address", ["", "9191", "host:", "127.0.0.1:99999", ":x", "203.0.113.1:0"])
def test_an_address_that_cannot_be_ours_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        Monitor(address)


def test_what_is_watched_is_closed_with_its_watcher() -> None:
    closed = []

    def events() -> Generator[Event]:
        try:
            yield from happening()
        finally:
            closed.append(True)

    with Monitor(":0") as monitor:
        watched = monitor.watched(events())
        next(watched)
        watched.close()
    assert closed == [True]
