import threading
import time
from pathlib import Path

import pytest

from ingot.base.errors import Error
from ingot.vm.guest.status import Status, read_events, read_status, wait_ready

BOOT = '{"event":"boot"}\n'
STEP = '{"event":"step","name":"network"}\n'
STARTED = '{"event":"service","name":"web","state":"started"}\n'
READY = '{"event":"service","name":"web","state":"ready"}\n{"event":"ready"}\n'
FAILED = '{"event":"failed","step":"data","reason":"foreign data on /dev/vda"}\n'
STOPPING = '{"event":"stopping"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.jsonl"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Status("running", None, None, {})),
        (BOOT, Status("booting", None, None, {})),
        (BOOT + STEP, Status("booting", "network", None, {})),
        (BOOT + STARTED, Status("booting", None, None, {"web": "started"})),
        (BOOT + STEP + READY, Status("ready", "network", None, {"web": "ready"})),
        (BOOT + FAILED, Status("failed", None, "data: foreign data on /dev/vda", {})),
        (BOOT + READY + STOPPING, Status("stopping", None, None, {"web": "ready"})),
        (BOOT + READY + STOPPING + STEP, Status("stopping", None, None, {"web": "ready"})),
        (BOOT + FAILED + BOOT, Status("booting", None, None, {})),
        ('{"event":"failed"}\n', Status("failed", None, "no reason given", {})),
    ],
)
def test_events_amount_to_a_state(path: Path, text: str, expected: Status) -> None:
    path.write_text(text)
    assert read_status(path) == expected


def test_a_guest_that_says_nothing_is_just_running(path: Path) -> None:
    assert read_status(path).state == "running"


def test_what_is_no_event_is_passed_over(path: Path) -> None:
    path.write_bytes(b'\xff\n[1]\n{"event":7}\n{"event":"new","more":{}}\n{"event":"boot"}\n{"ev')
    assert [event.event for event in read_events(path)] == ["new", "boot"]


def test_a_half_line_is_not_read_before_it_is_whole(path: Path) -> None:
    path.write_text(BOOT + READY.rstrip("\n"))
    assert read_status(path).state == "booting"
    path.write_text(BOOT + READY)
    assert read_status(path).state == "ready"


def test_waiting_ends_when_the_guest_is_ready(path: Path) -> None:
    path.write_text(BOOT)

    def later() -> None:
        time.sleep(0.1)
        with path.open("a") as file:
            file.write(READY)

    thread = threading.Thread(target=later)
    thread.start()
    assert wait_ready(path, ended=lambda: False, timeout_s=10).state == "ready"
    thread.join()


def test_waiting_ends_with_the_reason_of_the_failure(path: Path) -> None:
    path.write_text(BOOT + FAILED)
    with pytest.raises(Error, match="the boot failed: data: foreign data"):
        wait_ready(path, ended=lambda: False, timeout_s=10)


def test_waiting_ends_with_the_machine(path: Path) -> None:
    path.write_text(BOOT + STEP)
    with pytest.raises(Error, match="ended before its services were ready at step network"):
        wait_ready(path, ended=lambda: True, timeout_s=10)


def test_what_was_said_last_counts_even_if_the_machine_has_ended(path: Path) -> None:
    path.write_text(BOOT + FAILED)
    with pytest.raises(Error, match="the boot failed"):
        wait_ready(path, ended=lambda: True, timeout_s=10)


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("", r"not ready after 0.0 s \(running\)"),
        (BOOT + STEP, r"\(booting at step network\)"),
        (BOOT + STARTED, r"\(booting; waiting for web\)"),
    ],
)
def test_a_time_out_says_how_far_it_came(path: Path, text: str, progress: str) -> None:
    path.write_text(text)
    with pytest.raises(Error, match=progress):
        wait_ready(path, ended=lambda: False, timeout_s=0)
