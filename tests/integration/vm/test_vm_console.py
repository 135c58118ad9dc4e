"""A machine in the foreground and its console, on pipes and on a real terminal (a pty)."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Eventually = Callable[[Callable[[], object], str], None]

_TIMEOUT_S = 30
_ESCAPE = b"\x1d"


class Person:
    """Someone at a terminal that runs one command."""

    def __init__(self, host: Any, *arguments: str) -> None:
        self.seen = b""
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            host.command(*arguments),
            env=host.environment,
            cwd=host.home,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def types(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def sees(self, text: bytes) -> None:
        """Wait until `text` has come up on the screen."""
        deadline_s = time.monotonic() + _TIMEOUT_S
        while text not in self.seen:
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"{text!r} did not come up in {self.seen!r}"
            if select.select([self._master], [], [], left_s)[0]:
                try:
                    self.seen += os.read(self._master, 4096)
                except OSError as error:
                    raise AssertionError(f"{text!r} is not in {self.seen!r}") from error

    def leaves(self) -> int:
        """Wait for the end of the command and return its exit code."""
        code = self.process.wait(_TIMEOUT_S)
        os.close(self._master)
        return code


@pytest.fixture
def sit_down(host: Any) -> Iterator[Callable[..., Person]]:
    people: list[Person] = []

    def start(*arguments: str) -> Person:
        people.append(Person(host, *arguments))
        return people[-1]

    yield start
    for person in people:
        if person.process.poll() is None:
            person.process.kill()
            person.leaves()


def start_attached(host: Any, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        host.command("run", "demo", *arguments),
        env=host.environment,
        cwd=host.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_machine_through_its_guest(host: Any, number: signal.Signals) -> None:
    host.build("demo")
    command = start_attached(host)
    host.await_console("demo", "tiny kernel up")
    command.send_signal(number)
    stdout, stderr = command.communicate(timeout=_TIMEOUT_S)
    assert command.returncode == 0, stderr
    assert stdout == "tiny kernel up\npowering off\n"
    assert "stopping demo" in stderr
    assert "machine demo powered off" in stderr
    assert not host.machines()["demo"]["running"]


def test_a_second_signal_kills_a_machine_that_does_not_listen(
    host: Any, eventually: Eventually
) -> None:
    host.build("demo", deaf=True)
    command = start_attached(host)
    host.await_console("demo", "tiny kernel up")
    command.send_signal(signal.SIGINT)
    assert command.stderr is not None
    while "stopping demo" not in command.stderr.readline():
        assert command.poll() is None
    command.send_signal(signal.SIGINT)
    _, stderr = command.communicate(timeout=_TIMEOUT_S)
    assert command.returncode == 1
    assert "killed before its guest had powered off" in stderr
    assert not host.machines()["demo"]["running"]


def test_a_machine_is_stopped_when_nobody_reads_its_console_any_more(
    host: Any, eventually: Eventually
) -> None:
    host.build("demo")
    command = start_attached(host)
    host.await_console("demo", "tiny kernel up")
    assert command.stdout is not None
    command.stdout.close()
    # Typed from outside, so that the machine has more to say.
    folder = os.open(host.folder("demo"), os.O_PATH)
    with socket.socket(socket.AF_UNIX) as typed:
        typed.connect(f"/proc/self/fd/{folder}/console.sock")
        typed.sendall(b"more\r\n")
        eventually(lambda: command.poll() is not None, "the command ends")
    os.close(folder)
    assert command.stderr is not None
    assert "machine demo powered off" in command.stderr.read()
    command.stderr.close()
    assert command.returncode == 0


def test_a_machine_that_ends_by_itself_is_reported(host: Any) -> None:
    host.build("demo")
    command = start_attached(host, "--json")
    host.await_console("demo", "tiny kernel up")
    with (host.folder("demo") / "status.jsonl").open("a") as port:
        port.write('{"event":"boot"}\n{"event":"ready"}\n')
    os.kill(host.machines()["demo"]["pid"], signal.SIGKILL)
    stdout, stderr = command.communicate(timeout=_TIMEOUT_S)
    assert command.returncode == 1
    assert json.loads(stdout)["line"] == "tiny kernel up"
    assert "machine 'demo' ended without being stopped" in stderr


def test_a_boot_that_failed_is_reported(host: Any) -> None:
    host.build("demo")
    command = start_attached(host)
    host.await_console("demo", "tiny kernel up")
    with (host.folder("demo") / "status.jsonl").open("a") as port:
        port.write('{"event":"failed","step":"data","reason":"foreign disk"}\n')
    command.send_signal(signal.SIGTERM)
    _, stderr = command.communicate(timeout=_TIMEOUT_S)
    assert command.returncode == 1
    assert "the boot failed: data: foreign disk" in stderr


def test_logs_follow_until_the_machine_ends(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.await_console("demo", "tiny kernel up")
    with subprocess.Popen(
        host.command("logs", "--follow", "demo"),
        env=host.environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == "tiny kernel up\n"
        host.ingot("stop", "demo")
        assert command.stdout.read() == "powering off\n"
        assert command.wait(_TIMEOUT_S) == 0


def test_the_terminal_is_the_console_and_the_escape_key_stops_the_machine(
    host: Any, sit_down: Callable[..., Person]
) -> None:
    host.build("demo")
    person = sit_down("run", "demo")
    person.sees(b"tiny kernel up")
    person.types(b"hello\x03")
    person.sees(b"hello\x03")
    person.types(_ESCAPE)
    person.sees(b"powering off")
    assert person.leaves() == 0
    assert b"Ctrl-] stops the machine" in person.seen
    assert not host.machines()["demo"]["running"]


def test_the_escape_key_twice_pulls_the_plug(host: Any, sit_down: Callable[..., Person]) -> None:
    host.build("demo", deaf=True)
    person = sit_down("run", "demo")
    person.sees(b"tiny kernel up")
    person.types(_ESCAPE)
    person.sees(b"once more pulls the plug")
    person.types(_ESCAPE)
    person.sees(b"killed before its guest had powered off")
    assert person.leaves() == 1


def test_a_console_is_attached_and_detached_while_the_machine_runs_on(
    host: Any, sit_down: Callable[..., Person]
) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    host.await_console("demo", "tiny kernel up")
    person = sit_down("console", "demo")
    person.sees(b"tiny kernel up")
    person.types(b"abc")
    person.sees(b"abc")

    second = sit_down("console", "demo")
    second.sees(b"another terminal is attached")
    assert second.leaves() == 6

    person.types(_ESCAPE)
    assert person.leaves() == 0
    assert host.machines()["demo"]["running"]
    again = sit_down("console", "demo")
    again.sees(b"abc")
    host.ingot("stop", "demo")
    again.sees(b"powering off")
    assert again.leaves() == 0


def test_a_console_needs_a_terminal(host: Any) -> None:
    host.build("demo")
    host.ingot("run", "demo", "--detach")
    result = host.ingot("console", "demo", code=2)
    assert "standard input is no terminal" in result.stderr
    host.ingot("stop", "demo")
    assert "not running" in host.ingot("console", "demo", code=6).stderr
