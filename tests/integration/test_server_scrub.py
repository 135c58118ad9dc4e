"""A running server reads what it holds: damage is found before anybody asks for the object."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.cli.main import run

MIB = 1 << 20
TIMEOUT_S = 60.0
BODY = os.urandom(3 * MIB)


def metric(server: Any, name: str) -> float:
    with urllib.request.urlopen(f"{server.endpoint}/metrics", timeout=TIMEOUT_S) as answer:
        (line,) = [
            line
            for line in answer.read().decode().splitlines()
            if line.startswith(f"ingot_scrub_{name} ")
        ]
    return float(line.rpartition(" ")[2])


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def start(start_server: Any, tmp_path: Path) -> Callable[..., Any]:
    """Start a server that scrubs, by default all the time."""

    def started(rate: str = "1g", interval: str = "50ms") -> Any:
        environment = {
            "INGOT_METRICS_AUTH": "public",
            "INGOT_SCRUB_RATE": rate,
            "INGOT_SCRUB_INTERVAL": interval,
        }
        return start_server(tmp_path / "data", environment=environment)

    return started


def flip_a_bit(data_dir: Path) -> None:
    """Damage the one blob where it stands."""
    (blob,) = [path for path in (data_dir / "blobs" / "data").rglob("*") if path.is_file()]
    with blob.open("r+b") as file:
        file.seek(1000)
        (byte,) = file.read(1)
        file.seek(1000)
        file.write(bytes([byte ^ 1]))


def test_a_flipped_bit_is_found_by_the_running_server(start: Any, sender_of: Any) -> None:
    server = start()
    sender = sender_of(server)
    sender("PUT", "/bucket")
    sender("PUT", "/bucket/a/key", BODY)
    read = metric(server, "verified_bytes_total")
    wait_for(lambda: metric(server, "verified_bytes_total") >= read + 3 * len(BODY))
    assert metric(server, "damaged_total") == 0
    assert metric(server, "last_pass_timestamp_seconds") >= time.time() - TIMEOUT_S

    flip_a_bit(server.data_dir)

    wait_for(lambda: metric(server, "damaged_total") > 0)
    events = re.findall(
        r"store\.damaged bucket='bucket' key='a/key' version='null' (.*)", server.log()
    )
    assert all("wrong checksum" in event for event in events)
    assert events
    assert sender("GET", "/bucket/a/key").status == 500
    # What has to be done about it ends it.
    assert sender("PUT", "/bucket/a/key", BODY).status == 200
    passes = metric(server, "passes_total")
    wait_for(lambda: metric(server, "passes_total") >= passes + 2)
    found = metric(server, "damaged_total")
    wait_for(lambda: metric(server, "passes_total") >= passes + 4)
    assert metric(server, "damaged_total") == found


def test_one_process_at_a_time_scrubs(start: Any) -> None:
    server = start()
    wait_for(lambda: metric(server, "passes_total") > 0)
    descriptor = os.open(server.data_dir / "scrub.lock", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    passes = metric(server, "passes_total")
    time.sleep(0.5)
    assert metric(server, "passes_total") == passes
    os.close(descriptor)
    wait_for(lambda: metric(server, "passes_total") > passes)


def test_a_restart_goes_on_where_it_was(start: Any, sender_of: Any) -> None:
    server = start(rate="0")
    sender = sender_of(server)
    sender("PUT", "/bucket")
    for number in range(3):
        sender("PUT", f"/bucket/{number}", BODY)
    server.stop()
    server = start(rate="2m", interval="7d")
    wait_for(lambda: metric(server, "pass_bytes") > MIB)
    assert server.stop() == 0

    server = start(rate="1g", interval="7d")
    wait_for(lambda: metric(server, "passes_total") == 1)
    (gone_on,) = re.findall(r"store\.scrub\.begun verified_bytes=(\d+)", server.log())
    assert int(gone_on) > MIB
    assert metric(server, "last_pass_bytes") == 3 * len(BODY)
    assert metric(server, "verified_bytes_total") == 3 * len(BODY) - int(gone_on)
    assert metric(server, "pass_bytes") == 0


def test_scrubbing_is_off_at_no_rate(start: Any) -> None:
    server = start(rate="0")
    time.sleep(0.3)
    assert metric(server, "passes_total") == 0


def test_the_command_scrubs_what_a_server_uses(
    start: Any, sender_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start(rate="0")
    sender = sender_of(server)
    sender("PUT", "/bucket")
    sender("PUT", "/bucket/key", BODY)
    sender("PUT", "/bucket/small", b"small")
    command = ["server", "scrub", str(server.data_dir), "--json"]
    assert run(command) == 0
    (summary,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert summary == {
        "type": "summary",
        "status": "success",
        "records": 2,
        "verified_bytes": len(BODY),
        "problem_count": 0,
    }

    flip_a_bit(server.data_dir)

    assert run([*command, "--rate", "1g"]) == 1
    problem, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (problem["bucket"], problem["key"], problem["version_id"]) == ("bucket", "key", "null")
    assert "wrong checksum" in problem["message"]
    assert (summary["status"], summary["problem_count"]) == ("error", 1)


@pytest.mark.parametrize(("arguments", "code"), [(["--rate", "fast"], 2), ([], 5)])
def test_usage_of_the_command(tmp_path: Path, arguments: list[str], code: int) -> None:
    assert run(["server", "scrub", str(tmp_path), *arguments]) == code
