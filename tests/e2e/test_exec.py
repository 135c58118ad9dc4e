"""Commands in a running machine: their streams as they come, and a terminal of their own."""

import fcntl
import hashlib
import json
import os
import pty
import secrets
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MACHINE = "commands"
SERVICE = ("exec", MACHINE, "hello", "/bin/busybox")
HOST = ("exec", "--host", MACHINE, "/bin/busybox")
INGOT = [sys.executable, "-m", "ingot"]
TIMEOUT_S = 60
PROMPT = b"\x1b[6n"  # busybox asks where the cursor is when it waits for a command


@pytest.fixture(scope="module")
def machine(cli: Cli, hello_image: Path) -> Iterator[str]:
    cli("run", hello_image, "--name", MACHINE, "--wait", timeout_s=240)
    yield MACHINE
    cli("kill", MACHINE)
    cli("rm-machine", "--yes", MACHINE)


@pytest.fixture
def start(machine: str, environment: dict[str, str]) -> Iterator[Callable[..., "Started"]]:
    """Start a command with pipes."""
    started = []

    def run(*words: str) -> "Started":
        process = subprocess.Popen(
            [*INGOT, *words],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream and not stream.closed:
                stream.close()


Started = subprocess.Popen[bytes]


def reads(descriptor: int, text: bytes) -> bytes:
    """Read until `text` has come."""
    seen = b""
    deadline_s = time.monotonic() + TIMEOUT_S
    while text not in seen:
        left_s = deadline_s - time.monotonic()
        assert left_s > 0, f"{text!r} did not come up in {seen!r}"
        if select.select([descriptor], [], [], left_s)[0]:
            data = os.read(descriptor, 4096)
            assert data, f"the end came before {text!r}: {seen!r}"
            seen += data
    return seen


def test_output_and_input_flow_while_a_command_runs(start: Callable[..., Started]) -> None:
    """It is a conversation: each answer comes before the next question is asked."""
    script = "while read line; do echo got $line; echo aside $line >&2; done; echo over; exit 7"
    command = start(*SERVICE, "sh", "-c", script)
    assert command.stdin
    assert command.stdout
    assert command.stderr
    for word in (b"one", b"two"):
        command.stdin.write(word + b"\n")
        command.stdin.flush()
        reads(command.stdout.fileno(), b"got " + word)
        reads(command.stderr.fileno(), b"aside " + word)
    command.stdin.close()
    reads(command.stdout.fileno(), b"over")
    assert command.wait(TIMEOUT_S) == 7


def test_much_passes_both_ways_unchanged(
    machine: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """More than the agent would take or keep, and every byte of it."""
    data = secrets.token_bytes(10 << 20) + bytes(10 << 20)
    (tmp_path / "in").write_bytes(data)
    with (tmp_path / "in").open("rb") as source:
        result = subprocess.run(
            [*INGOT, *SERVICE, "cat"],
            env=environment,
            stdin=source,
            capture_output=True,
            check=True,
            timeout=300,
        )
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()


def test_how_commands_end(cli: Cli, start: Callable[..., Started]) -> None:
    killed = start(*SERVICE, "sh", "-c", "echo last words; kill -9 $$")
    assert killed.communicate(timeout=TIMEOUT_S) == (b"last words\n", b"")
    assert killed.returncode == 137
    behind = cli(*HOST, "sh", "-c", "sleep 600 & echo left something running")
    assert behind.stdout == "left something running\n", "its pipes are open, and nobody waits"
    _kill(cli, "sleep 600")
    absent = cli("exec", "--host", MACHINE, "/absent", check=False)
    assert (absent.returncode, "no program '/absent'" in absent.stderr) == (5, True)
    shown = json.loads(cli("exec", "--json", *SERVICE[1:], "echo", "hi").stdout)
    assert (shown["exit_code"], shown["stdout"]) == (0, "hi\n")


def test_commands_run_side_by_side(start: Callable[..., Started]) -> None:
    commands = [start(*SERVICE, "sh", "-c", "read line; echo $line") for _ in range(3)]
    for number, command in reversed(list(enumerate(commands))):
        assert command.communicate(b"%d\n" % number, timeout=TIMEOUT_S)[0] == b"%d\n" % number


def test_nothing_is_left_of_a_command_that_nobody_waits_for(
    cli: Cli, start: Callable[..., Started]
) -> None:
    """Its reader goes away, or the command itself is killed on the host."""
    flood = start(*SERVICE, "yes")
    assert flood.stdout
    reads(flood.stdout.fileno(), b"y\n")
    assert "while 'ingot exec' runs" in cli("snapshot", "save", MACHINE, "x", check=False).stderr
    flood.stdout.close()
    flood.wait(TIMEOUT_S)
    assert not _runs(cli, "busybox yes")

    orphan = start(*SERVICE, "sleep", "500")
    _await(lambda: _runs(cli, "busybox sleep 500"))
    orphan.send_signal(signal.SIGKILL)
    orphan.wait()
    # Its status, its agent, and those of this very command; the guest lets go when it comes to it.
    _await(lambda: len(cli(*HOST, "ls", "/sys/class/virtio-ports").stdout.split()) == 4)
    _kill(cli, "sleep 500")


@pytest.mark.parametrize("words", [(MACHINE, "hello"), ("--host", MACHINE)])
def test_a_command_has_a_terminal(
    words: tuple[str, ...], machine: str, environment: dict[str, str]
) -> None:
    """A shell with a size, Ctrl-C, a new size, and an exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    with subprocess.Popen(
        [*INGOT, "exec", "-it", *words, "/bin/busybox", "sh"],
        env={**environment, "TERM": "vt100"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    ) as command:
        os.close(slave)
        try:
            # A shell that starts empties its terminal: what is typed before its prompt is lost.
            reads(master, PROMPT)
            os.write(master, b"stty size; tty; echo $TERM-kind\r")
            assert b"33 77" in reads(master, b"vt100-kind")
            # Said by what is to be interrupted: a shell about to start it would miss the Ctrl-C.
            os.write(master, b"sh -c 'echo asl\"\"eep; sleep 500'\r")
            reads(master, b"asleep\r\n")
            os.write(master, b"\x03")
            reads(master, PROMPT)
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 99, 0, 0))
            command.send_signal(signal.SIGWINCH)
            os.write(master, b"until stty size | grep '44 99'; do sleep 0.2; done; echo siz''ed\r")
            reads(master, b"sized\r\n")
            os.write(master, b"exit 9\r")
            assert command.wait(TIMEOUT_S) == 9
        finally:
            command.kill()
            os.close(master)


def test_a_terminal_is_needed_for_one(cli: Cli, machine: str) -> None:
    refused = cli("exec", "-t", machine, "hello", "/bin/busybox", "sh", check=False)
    assert (refused.returncode, "no terminal" in refused.stderr) == (2, True)


def _runs(cli: Cli, words: str) -> bool:
    return words in cli(*HOST, "ps", "-o", "args").stdout


def _kill(cli: Cli, words: str) -> None:
    script = f"kill $(ps -o pid,args | awk '/[ ]{words}/ && !/awk/ {{ print $1 }}')"
    cli(*HOST, "sh", "-c", script, check=False)


def _await(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
