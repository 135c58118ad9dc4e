"""A built appliance as a machine: booted, watched, entered, stopped, run again with its disk."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MACHINE = "hello-machine"
ADDRESS = "192.168.65.101"
BOOT_TIMEOUT_S = 240
SHELL = ("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c")


def test_a_machine_lives_its_life(
    cli: Cli,
    environment: dict[str, str],
    hello_image: Path,
    free_port: Callable[[], int],
) -> None:
    port = free_port()
    started = cli(
        *("run", hello_image, "--name", MACHINE, "--ip", ADDRESS, "--disk", "size=64M"),
        *("--publish", f"{port}:8080", "--wait=4m", "--json"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    assert json.loads(started.stdout)["state"] == "ready"
    _answers(port)
    _is_listed(cli, port)
    _runs_commands_in_services(cli)
    _ends_commands_that_are_interrupted(cli, environment)
    _has_what_was_asked_for(cli)
    _has_a_console(environment)

    cli(*SHELL, "echo precious | dd of=/dev/vda conv=fsync")
    stopped = json.loads(cli("stop", MACHINE, "--json").stdout)
    assert stopped["how"] == "powered-off"
    assert cli("ps", "--json").stdout == ""
    assert "stopping" in cli("logs", MACHINE).stdout

    cli("run", "--name", MACHINE, "--wait", timeout_s=BOOT_TIMEOUT_S)
    _answers(port)
    assert cli(*SHELL, "dd if=/dev/vda bs=8 count=1").stdout == "precious"
    cli("stop", MACHINE)
    cli("rm-machine", "--yes", MACHINE)


def _answers(port: int) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert b"hello" in answer.read()


def _is_listed(cli: Cli, port: int) -> None:
    row = json.loads(cli("ps", "--json").stdout)
    assert (row["name"], row["state"], row["ip"]) == (MACHINE, "ready", ADDRESS)
    assert row["services"]["hello"] == "ready"
    assert row["ports"][0]["host_port"] == port
    assert MACHINE in cli("ps").stdout
    assert "hello is ready" in cli("logs", MACHINE).stdout


def _runs_commands_in_services(cli: Cli) -> None:
    """The command sees the container, its streams stay apart, its exit code comes back."""
    busybox = ("exec", MACHINE, "hello", "/bin/busybox")
    result = cli(*busybox, "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (result.returncode, result.stdout, result.stderr) == (7, "out\n", "err\n")
    assert cli(*busybox, "wc", "-c", stdin="x" * 100_000).stdout.strip() == "100000"
    assert cli(*busybox, "touch", "/file", check=False).returncode != 0, "the root is read-only"

    result = cli("exec", MACHINE, "absent", "true", check=False)
    assert result.returncode == 5
    assert "no service 'absent'" in result.stderr
    assert "hello" in result.stderr.partition("hint:")[2]


def _ends_commands_that_are_interrupted(cli: Cli, environment: dict[str, str]) -> None:
    """Ctrl-C ends a command in the guest, in a service and outside."""
    for words in (("--host", MACHINE), (MACHINE, "hello")):
        command = subprocess.Popen(
            [sys.executable, "-m", "ingot", "exec", *words, "/bin/busybox", "sleep", "98765"],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        try:
            _eventually(lambda: _sleeps(cli))
            command.send_signal(signal.SIGINT)
            assert command.wait(30) == 130
        finally:
            command.kill()
            command.wait()
        assert not _sleeps(cli)


def _sleeps(cli: Cli) -> bool:
    return "/bin/busybox sleep 98765" in cli(*SHELL, "ps -o args").stdout


def _eventually(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)


def _has_what_was_asked_for(cli: Cli) -> None:
    assert ADDRESS in cli(*SHELL, "ip -4 addr show dev eth0").stdout
    assert cli(*SHELL, "cat /sys/block/vda/serial").stdout == "ingot-0"
    assert int(cli(*SHELL, "cat /sys/block/vda/size").stdout) == (64 << 20) // 512
    assert "panic=-1" in cli(*SHELL, "cat /proc/cmdline").stdout


def _has_a_console(environment: dict[str, str]) -> None:
    """Someone attaches a terminal, types a command to the getty's shell, and detaches."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ingot", "console", MACHINE],
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as command:
        os.close(slave)
        try:
            _sees(master, b"Ctrl-] detaches")
            os.write(master, b"\r")
            # A shell that starts empties its terminal: what is typed before its prompt is lost.
            _sees(master, b"hello:~# ")
            os.write(master, b"echo $((6 * 7))-answers\r")
            _sees(master, b"42-answers")
            os.write(master, b"\x1d")
            assert command.wait(30) == 0
        finally:
            command.kill()
            os.close(master)


def _sees(terminal: int, text: bytes) -> None:
    seen = b""
    deadline_s = time.monotonic() + 60
    while text not in seen:
        left_s = deadline_s - time.monotonic()
        assert left_s > 0, f"{text!r} did not come up in {seen!r}"
        if select.select([terminal], [], [], left_s)[0]:
            seen += os.read(terminal, 4096)
