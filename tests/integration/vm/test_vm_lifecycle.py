"""Machines start, stop, start again with what they had, and never twice; real QEMU processes."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Eventually = Callable[[Callable[[], object], str], None]


def test_a_machine_is_started_listed_and_stopped_through_its_guest(host: Any) -> None:
    host.build("demo")
    started = json.loads(host.ingot("run", "demo", "--detach", "--json").stdout)
    assert (started["name"], started["state"]) == ("demo", "running")
    host.await_console("demo", "tiny kernel up")

    row = host.machines()["demo"]
    assert (row["running"], row["pid"], row["ip"]) == (True, started["pid"], "10.0.2.15")
    assert row["accelerator"] in {"kvm", "tcg"}
    assert row["accelerator_reason"]
    text = host.ingot("ps").stdout.splitlines()
    assert text[0].split() == ["MACHINE", "STATE", "PID", "UPTIME", "IP", "PORTS", "ACCEL"]
    assert text[1].split()[:3] == ["demo", "running", str(row["pid"])]

    stopped = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert (stopped["name"], stopped["how"]) == ("demo", "powered-off")
    assert "powering off" in host.ingot("logs", "demo").stdout
    assert len(host.ingot("ps").stdout.splitlines()) == 1, "only the heading is left"
    assert host.machines()["demo"]["state"] == "stopped"
    again = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert again["how"] == "was-stopped"


def test_a_machine_runs_again_with_its_flags_and_its_disk(host: Any) -> None:
    prefix = host.build("demo")
    host.ingot(
        *("run", prefix, "--name", "first", "--detach", "--mem", "128", "--accel", "tcg"),
        *("--ip", "192.168.65.101", "--disk", "size=8M"),
    )
    disk = host.folder("first") / "disk-0.img"
    assert disk.stat().st_size == 8 << 20
    host.ingot("stop", "first")
    disk.write_bytes(b"kept" + bytes((8 << 20) - 4))

    host.ingot("run", "--name", "first", "--detach", "--mem", "96")
    row = host.machines()["first"]
    assert (row["ip"], row["state"]) == ("192.168.65.101", "running")
    words = Path(f"/proc/{row['pid']}/cmdline").read_bytes().split(b"\0")
    assert words[words.index(b"-m") + 1] == b"96"
    assert f'"filename":"{disk}"'.encode() in b"".join(words)
    host.ingot("stop", "first")

    host.ingot("run", prefix, "--name", "first", "--detach", "--disk", "size=8M")
    assert disk.read_bytes()[:4] == b"kept"


def test_the_log_of_the_run_before_is_kept(host: Any) -> None:
    host.build("demo")
    host.ingot("logs", "demo", code=5)
    host.ingot("run", "demo", "--detach")
    host.ingot("logs", "--previous", "demo", code=5)
    host.ingot("stop", "demo")
    host.ingot("run", "demo", "--detach")
    assert "powering off" in host.ingot("logs", "--previous", "demo").stdout
    host.await_console("demo", "tiny kernel up")
    assert host.ingot("logs", "demo").stdout == "tiny kernel up\n"
    assert host.ingot("logs", "--lines", "0", "demo").stdout == ""
    line = json.loads(host.ingot("logs", "--json", "demo").stdout)
    assert (line["type"], line["line"]) == ("console", "tiny kernel up")


def test_a_running_machine_is_neither_started_nor_removed(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    refused = host.ingot("run", "demo", "--detach", code=6)
    assert "machine 'demo' is running" in refused.stderr
    assert "ingot stop demo" in refused.stderr
    assert "is running" in host.ingot("rm-machine", "demo", code=6).stderr
    assert host.machines()["demo"]["running"]


def test_two_commands_at_once_start_one_machine_once(host: Any) -> None:
    host.build("demo")
    commands = [
        subprocess.Popen(
            host.command("run", "demo", "--detach"),
            env=host.environment,
            cwd=host.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    codes = sorted(command.wait(60) for command in commands)
    assert codes == [0, 6, 6, 6]
    assert host.machines()["demo"]["running"]


def test_a_guest_that_does_not_listen_is_killed_when_time_is_over(host: Any) -> None:
    host.build("demo", deaf=True)
    host.ingot("run", "demo", "--detach")
    host.await_console("demo", "tiny kernel up")
    began_s = time.monotonic()
    result = host.ingot("stop", "--timeout", "1s", "demo", code=1)
    assert time.monotonic() - began_s < 20
    assert "did not power off within 1.0 s and was killed" in result.stderr
    assert not host.machines()["demo"]["running"]


def test_the_plug_can_be_pulled_at_once(host: Any) -> None:
    host.build("demo", deaf=True)
    host.ingot("run", "demo", "--detach")
    result = json.loads(host.ingot("stop", "--kill", "demo", "--json").stdout)
    assert result["how"] == "killed"


def test_stopping_several_reports_each_and_fails_in_part(host: Any) -> None:
    host.build("good")
    host.build("deaf", deaf=True)
    for name in ("good", "deaf"):
        host.ingot("run", name, "--detach")
        host.await_console(name, "tiny kernel up")
    result = host.ingot("stop", "--all", "--timeout", "1s", code=3)
    assert "good powered-off" in result.stdout
    assert "machine 'deaf' did not power off" in result.stderr
    assert "which machine?" in host.ingot("stop", code=2).stderr
    assert "no machine 'absent'" in host.ingot("stop", "absent", code=5).stderr


def test_a_machine_that_died_is_seen_as_stopped_and_starts_again(
    host: Any, eventually: Eventually
) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    pid = host.machines()["demo"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not host.machines()["demo"]["running"], "the death is noticed")
    assert "not running" in host.ingot("exec", "demo", "web", "true", code=6).stderr
    host.ingot("run", "demo", "--detach")
    assert host.machines()["demo"]["pid"] != pid


def test_a_machine_whose_start_was_cut_short_is_found(host: Any) -> None:
    """The command was killed between the start of QEMU and the record of its process."""
    host.build("demo")
    host.ingot("run", "demo", "--detach", "--disk", "size=1M")
    pid = host.machines()["demo"]["pid"]
    (host.folder("demo") / "process.json").unlink()
    row = host.machines()["demo"]
    assert (row["running"], row["pid"]) == (True, pid)
    assert "cut short" in row["accelerator_reason"]
    assert "is running" in host.ingot("run", "demo", "--detach", code=6).stderr
    assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "powered-off"
    assert host.machines()["demo"]["state"] == "stopped"


def test_what_half_made_machines_leave_is_no_machine(host: Any) -> None:
    """Folders of a start or a removal that was cut short, and a record of before a host's boot."""
    host.build("demo")
    for name in ("half", ".removed-old-x"):
        (host.folder("demo").parent / name).mkdir(parents=True)
    (host.folder("half") / "lock").touch()
    (host.folder("half") / "qemu.pid").write_text(str(os.getpid()))
    assert host.machines() == {}
    host.ingot("run", "demo", "--name", "half", "--detach")
    record = host.folder("half") / "process.json"
    kept = json.loads(record.read_text())
    record.write_text(json.dumps({**kept, "boot_id": "an earlier one"}))
    assert host.machines()["half"]["state"] == "stopped"
    record.write_text(json.dumps(kept))
    host.ingot("kill", "half")


def test_a_pid_that_now_belongs_to_another_is_left_alone(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.ingot("stop", "demo")
    with subprocess.Popen(["sleep", "60"]) as bystander:
        record = host.folder("demo") / "process.json"
        stale = json.loads(record.read_text())
        record.write_text(json.dumps(stale | {"pid": bystander.pid}))
        assert not host.machines()["demo"]["running"]
        assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "was-stopped"
        host.ingot("run", "demo", "--detach")
        assert bystander.poll() is None
        bystander.kill()


def test_a_port_in_use_is_an_error_before_the_start(host: Any) -> None:
    host.build("demo")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = host.ingot("run", "demo", "--detach", "--publish", f"{port}:80", code=6)
        assert f"127.0.0.1:{port}/tcp is already in use" in result.stderr
    assert host.machines() == {}, "a machine that never was leaves nothing"
    assert not host.folder("demo").exists()


def test_a_published_port_names_the_machine_that_has_it(host: Any) -> None:
    host.build("demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host.ingot("run", "demo", "--name", "a", "--detach", "--publish", f"{port}:80")
    assert host.machines()["a"]["ports"] == [
        {"host_address": "127.0.0.1", "host_port": port, "guest_port": 80, "protocol": "tcp"}
    ]
    result = host.ingot("run", "demo", "--name", "b", "--detach", "--publish", f"{port}:8", code=6)
    assert f"host port {port} is published by machine 'a'" in result.stderr


def test_a_disk_in_use_by_another_machine_is_refused(host: Any) -> None:
    host.build("demo")
    disk = host.home / "shared.img"
    host.ingot("run", "demo", "--name", "a", "--detach", "--disk", f"{disk},size=8M")
    link = host.home / "link.img"
    link.symlink_to(disk)
    result = host.ingot("run", "demo", "--name", "b", "--detach", "--disk", link, code=6)
    assert f"disk {link} is in use by machine 'a'" in result.stderr
    host.ingot("stop", "a")
    host.ingot("run", "demo", "--name", "b", "--detach", "--disk", link)


def test_what_qemu_says_of_a_failed_start_is_shown(host: Any) -> None:
    prefix = host.build("demo")
    prefix.with_name("demo-kernel").write_bytes(b"no kernel at all" * 1000)
    result = host.ingot("run", "demo", "--detach", code=1)
    assert "machine 'demo' could not be started: " in result.stderr
    assert "kernel" in result.stderr.partition("started: ")[2]
    assert not host.machines()["demo"]["running"]


def test_wait_returns_when_the_guest_says_so(host: Any, eventually: Eventually) -> None:
    host.build("demo")
    status = host.folder("demo") / "status.jsonl"

    def guest() -> None:
        eventually(status.is_file, "the status port is there")
        with status.open("a") as port:
            port.write('{"event":"boot"}\n{"event":"service","name":"web","state":"ready"}\n')
            port.write('{"event":"ready"}\n')

    thread = threading.Thread(target=guest)
    thread.start()
    result = host.ingot("run", "demo", "--wait=30s", "--json")
    thread.join()
    assert json.loads(result.stdout)["state"] == "ready"
    row = host.machines()["demo"]
    assert (row["state"], row["services"]) == ("ready", {"web": "ready"})


def test_wait_fails_with_the_guest_s_reason_and_the_end_of_the_console(
    host: Any, eventually: Eventually
) -> None:
    host.build("demo")
    status = host.folder("demo") / "status.jsonl"

    def guest() -> None:
        host.await_console("demo", "tiny kernel up")
        with status.open("a") as port:
            port.write('{"event":"failed","step":"data","reason":"foreign disk"}\n')

    thread = threading.Thread(target=guest)
    thread.start()
    result = host.ingot("run", "demo", "--wait", code=1)
    thread.join()
    assert "machine 'demo': the boot failed: data: foreign disk" in result.stderr
    assert "  | tiny kernel up" in result.stderr
    row = host.machines()["demo"]
    assert (row["state"], row["reason"]) == ("failed", "data: foreign disk")


def test_wait_fails_when_time_is_over_and_leaves_the_machine_running(host: Any) -> None:
    host.build("demo")
    result = host.ingot("run", "demo", "--wait=300ms", code=1)
    assert "not ready after 0.3 s" in result.stderr
    assert host.machines()["demo"]["running"]


def test_wait_fails_when_the_machine_ends(host: Any, eventually: Eventually) -> None:
    host.build("demo")

    def guest() -> None:
        host.await_console("demo", "tiny kernel up")
        os.kill(int((host.folder("demo") / "qemu.pid").read_text()), signal.SIGKILL)

    thread = threading.Thread(target=guest)
    thread.start()
    result = host.ingot("run", "demo", "--wait", code=1)
    thread.join()
    assert "ended before its services were ready" in result.stderr


def test_removing_asks_before_it_deletes_a_disk(host: Any) -> None:
    host.build("demo")
    own = host.home / "own.img"
    host.ingot("run", "demo", "--detach", "--disk", "size=8M", "--disk", f"{own},size=8M")
    host.ingot("stop", "demo")
    refused = host.ingot("rm-machine", "demo", code=2)
    assert "has 1 disk(s) that would be deleted" in refused.stderr
    assert (host.folder("demo") / "disk-0.img").exists()
    removed = json.loads(host.ingot("rm-machine", "--yes", "demo", "--json").stdout)
    assert removed["disks"] == [str(host.folder("demo") / "disk-0.img")]
    assert host.machines() == {}
    assert own.exists()
    assert "no machine 'demo'" in host.ingot("rm-machine", "demo", code=5).stderr


def test_a_machine_without_a_disk_is_removed_without_a_question(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.ingot("stop", "demo")
    assert host.ingot("rm-machine", "demo").stdout == "demo removed\n"


def test_a_state_folder_deeper_than_a_socket_name_may_be(host: Any) -> None:
    host.environment["INGOT_STATE_DIR"] = str(host.home / ("deep" * 25) / ("deeper" * 20))
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.await_console("demo", "tiny kernel up")
    assert host.ingot("stop", "demo").stdout == "demo powered-off\n"


def test_one_unreadable_machine_does_not_hide_the_others(host: Any) -> None:
    host.build("demo")
    for name in ("a", "b"):
        host.ingot("run", "demo", "--name", name, "--detach")
        host.ingot("stop", name)
    (host.folder("a") / "machine.json").write_text("{}")
    result = host.ingot("ps", "--all", "--json")
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == ["b"]
    assert "machine.json cannot be read" in result.stderr
    (host.folder("a") / "machine.json").unlink()


def test_a_build_elsewhere_is_said(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.ingot("stop", "demo")
    other = host.home / "other"
    other.mkdir()
    for suffix in ("kernel", "initrd.img", "cmdline"):
        (host.home / f"demo-{suffix}").rename(other / f"demo-{suffix}")
    gone = host.ingot("run", "demo", "--detach", code=5)
    assert "there is no build 'demo'" in gone.stderr
    result = host.ingot("run", other / "demo", "--detach")
    assert f"now boots {other / 'demo'} and no longer {host.home / 'demo'}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["run", "absent", "--detach"], 5, "there is no build 'absent'"),
        (["run"], 2, "which machine?"),
        (["run", "demo.yml"], 2, "no build yet"),
        (["run", "demo", "--name", "a/b"], 2, "cannot name a machine"),
        (["run", "demo", "--cpus", "0"], 2, "cannot have 0 CPUs"),
        (["run", "demo", "--mem", "1"], 2, "cannot have '1' of memory"),
        (["run", "demo", "--disk", "size=no"], 2, "not a size"),
        (["run", "demo", "--disk", "absent.img"], 5, "absent.img does not exist"),
        (["run", "demo", "--publish", "80"], 2, "HOST:GUEST is missing"),
        (["run", "demo", "--ip", "300.1.1.1"], 2, "is no IP address"),
        (["run", "demo", "--wait=soon"], 2, "not a duration"),
        (["console", "absent"], 5, "no machine 'absent'"),
        (["logs", "absent"], 5, "no machine 'absent'"),
        (["exec", "absent", "web", "true"], 5, "no machine 'absent'"),
        (["exec", "absent", "web"], 2, "COMMAND is missing"),
        (["exec", "--host", "absent"], 2, "COMMAND is missing"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(
    host: Any, arguments: list[str], code: int, words: str
) -> None:
    host.build("demo")
    result = host.ingot(*arguments, code=code)
    assert words in result.stderr
    assert result.stdout == ""
    assert host.machines() == {}
    assert not host.folder("demo").exists()
