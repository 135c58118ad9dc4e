"""`start`, `kill`, `wait`, `port`, `stats`, and stopping side by side, with real processes."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[[Callable[[], object], str], None]


def test_a_stopped_machine_starts_as_it_was_run(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach", "--mem", "96", "--ip", "192.168.65.7")
    host.ingot("kill", "demo")
    started = json.loads(host.ingot("start", "demo", "--json").stdout)
    row = host.machines()["demo"]
    assert (started["type"], started["state"], started["pid"]) == ("machine", "running", row["pid"])
    assert row["ip"] == "192.168.65.7"
    again = host.ingot("start", "demo", "--json")
    assert json.loads(again.stdout)["pid"] == row["pid"]
    assert "is running already" in again.stderr


def test_starting_all_starts_what_is_stopped(host: Any) -> None:
    host.build("demo")
    for name in ("a", "b"):
        host.ingot("run", "demo", "--name", name, "--detach")
    host.ingot("kill", "b")
    assert host.ingot("start", "--all").stdout == "b is running\n"
    assert all(row["running"] for row in host.machines().values())


def test_starting_goes_on_when_one_machine_fails(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.ingot("kill", "demo")
    result = host.ingot("start", "absent", "demo", code=3)
    assert "no machine 'absent'" in result.stderr
    assert "1 of 2 machines were not started" in result.stderr
    assert host.machines()["demo"]["running"]


def test_start_waits_for_the_services(host: Any, eventually: Eventually) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.ingot("kill", "demo")
    status = host.folder("demo") / "status.jsonl"
    status.unlink()

    def guest() -> None:
        eventually(status.is_file, "the status port is there")
        status.write_text('{"event":"ready"}\n')

    thread = threading.Thread(target=guest)
    thread.start()
    result = host.ingot("start", "demo", "--wait=30s", "--json")
    thread.join()
    assert json.loads(result.stdout)["state"] == "ready"


def test_a_kill_needs_no_guest(host: Any) -> None:
    host.build("demo", deaf=True)
    host.ingot("run", "demo", "--detach")
    assert json.loads(host.ingot("kill", "demo", "--json").stdout)["how"] == "killed"
    assert json.loads(host.ingot("kill", "demo", "--json").stdout)["how"] == "was-stopped"
    assert "no machine 'absent'" in host.ingot("kill", "absent", code=5).stderr


def test_deaf_machines_are_stopped_side_by_side(host: Any) -> None:
    host.build("demo", deaf=True)
    for name in ("a", "b", "c"):
        host.ingot("run", "demo", "--name", name, "--detach")
        host.await_console(name, "tiny kernel up")
    began_s = time.monotonic()
    result = host.ingot("stop", "--timeout", "6s", "a", "b", "c", "a", code=3)
    assert time.monotonic() - began_s < 17, "three times six seconds would be one by one"
    assert "3 of 3 machines were not stopped cleanly" in result.stderr


def test_wait_returns_when_the_machine_has_stopped(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    with subprocess.Popen(
        host.command("wait", "--until", "stopped", "demo", "--json"),
        env=host.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as waiting:
        time.sleep(0.5)
        assert waiting.poll() is None
        os.kill(host.machines()["demo"]["pid"], signal.SIGKILL)
        stdout, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 0
    assert json.loads(stdout)["state"] == "stopped"
    assert host.ingot("wait", "--until", "stopped", "demo").stdout == "demo is stopped\n"


def test_wait_ends_when_its_time_is_over(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    late = host.ingot("wait", "--until", "stopped", "--timeout", "100ms", "demo", code=1)
    assert "still runs after 100 ms" in late.stderr
    assert "not ready after 0.1 s" in host.ingot("wait", "--timeout", "0.1", "demo", code=1).stderr
    (host.folder("demo") / "status.jsonl").write_text('{"event":"ready"}\n')
    assert host.ingot("wait", "demo").stdout.startswith("demo is ready after")
    host.ingot("kill", "demo")
    assert "is not running" in host.ingot("wait", "demo", code=6).stderr


def test_port_says_where_the_guest_answers(host: Any) -> None:
    host.build("demo")
    ports = ("--publish", "127.0.0.2:19000:9000", "--publish", "127.0.0.3:19053:53/udp")
    host.ingot("run", "demo", "--detach", *ports)
    assert host.ingot("port", "demo").stdout == (
        "9000/tcp -> 127.0.0.2:19000\n53/udp -> 127.0.0.3:19053\n"
    )
    assert host.ingot("port", "demo", "9000").stdout == "127.0.0.2:19000\n"
    assert json.loads(host.ingot("port", "demo", "53/udp", "--json").stdout) == {
        "status": "success",
        "type": "port",
        "name": "demo",
        "host_address": "127.0.0.3",
        "host_port": 19053,
        "guest_port": 53,
        "protocol": "udp",
    }
    assert "does not publish port 53" in host.ingot("port", "demo", "53", code=5).stderr
    assert "is no port" in host.ingot("port", "demo", "http", code=2).stderr


def test_stats_measure_what_a_machine_uses(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach", "--mem", "96", "--disk", "size=8M")
    result = host.ingot("stats", "--interval", "200ms", "--json")
    row = json.loads(result.stdout)
    assert (row["type"], row["name"], row["memory_bytes"]) == ("stats", "demo", 96 << 20)
    assert 1 << 20 < row["memory_resident_bytes"] < 1 << 30
    assert row["cpu_s"] > 0
    assert 0 <= row["cpu_percent"] < 1000
    disk = str(host.folder("demo") / "disk-0.img")
    assert row["disks"] == [{"path": disk, "read_bytes": 0, "written_bytes": 0}]
    text = host.ingot("stats", "--interval", "50ms", "demo").stdout.splitlines()
    assert text[0].split() == ["MACHINE", "CPU", "CPU", "TIME", "MEMORY", "OF", "READ", "WRITTEN"]
    assert text[1].startswith("demo ")


def test_stats_of_what_does_not_run(host: Any) -> None:
    host.build("demo")
    assert len(host.ingot("stats").stdout.splitlines()) == 1
    host.ingot("run", "demo", "--detach")
    host.ingot("kill", "demo")
    assert "is not running" in host.ingot("stats", "demo", code=6).stderr
    assert "no interval" in host.ingot("stats", "--interval", "0", "demo", code=2).stderr


@pytest.mark.parametrize("verb", ["start", "stop", "kill", "wait"])
def test_neither_names_nor_all_is_an_error(host: Any, verb: str) -> None:
    assert "which machine?" in host.ingot(verb, code=2).stderr
    assert "which machine?" in host.ingot(verb, "--all", "demo", code=2).stderr
    assert host.ingot(verb, "--all").stdout == ""


def test_metadata_reaches_the_machine_and_not_the_process_list(host: Any) -> None:
    host.build("demo")
    settings = host.home / "settings"
    settings.write_text("topsecret")
    host.ingot("run", "demo", "--detach", "--data-file", settings)
    pid = host.machines()["demo"]["pid"]
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    assert words[words.index(b"-fw_cfg") + 1] == b"name=opt/ingot/data,file=metadata"
    assert not any(b"topsecret" in word for word in words)
    assert (host.folder("demo") / "metadata").read_text() == "topsecret"
    host.ingot("kill", "demo")
    host.ingot("run", "demo", "--detach", "--data", "")
    assert not (host.folder("demo") / "metadata").exists()
    host.ingot("kill", "demo")
    result = host.ingot("run", "demo", "--data", "x", "--data-file", settings, code=2)
    assert "give one" in result.stderr
    result = host.ingot("run", "demo", "--data-file", "absent", code=2)
    assert "--data-file absent: No such file" in result.stderr
