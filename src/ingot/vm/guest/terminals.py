"""A command in the guest on a terminal of its own, which is this process's terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import select
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingot.base.errors import ConflictError, Error
from ingot.vm.guest import scripts
from ingot.vm.guest.agent import GuestAgent, Outcome
from ingot.vm.guest.console import ESCAPE, raw_terminal, write_all
from ingot.vm.guest.ports import clear, plugged
from ingot.vm.guest.streams import explain

_CHUNK_BYTES = 1 << 16
_LOOK_S = 0.5
_FIND_TIMEOUT_S = 10.0
_FIND_POLL_S = 0.05
_TERM = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
_LOCK = "terminal.lock"


def run_on_terminal(directory: Path, command: Sequence[str], term: str) -> int:
    """Run a command as root in the guest on a terminal that is this one; return its exit code.

    Args:
        directory: the machine's folder.
        command: a program of the guest and its arguments.
        term: what kind of terminal this is, as `TERM` says.

    Raises:
        NotFoundError: there is no such program.
        Error: the machine or its agent does not answer, or Ctrl-] was typed.
    """
    token = secrets.token_hex(8)
    agent = GuestAgent(directory)
    with contextlib.ExitStack() as stack:
        with _alone(directory):
            # Another one could take the place of what is left over.
            clear(directory)
            before = _terminals(agent)
            ends = stack.enter_context(plugged(directory, {f"tty.{token}": "virtconsole"}))
            device = _new_terminal(agent, before)
        term = term if _TERM.fullmatch(term) else "dumb"
        start = scripts.terminal(token, device, _size(), term, command)
        pid = agent.start(start)
        try:
            outcome = _converse(agent, pid, device, token, ends[f"tty.{token}"])
        except BaseException:
            with contextlib.suppress(Error):
                agent.end(pid)
            raise
    explain(outcome, command)
    return outcome.exit_code


def _converse(agent: GuestAgent, pid: int, device: str, token: str, end: socket.socket) -> Outcome:
    marks = scripts.MarkerFilter(token)
    outcome: Outcome | None = None
    with raw_terminal(0, lines=False), _size_changes() as changed:
        while not marks.done and outcome is None:
            sources: list[socket.socket | int] = [end, 0, changed]
            ready = select.select(sources, [], [], _LOOK_S)[0]
            if end in ready:
                data = end.recv(_CHUNK_BYTES)
                write_all(1, marks.feed(data))
                if not data:
                    break
            if 0 in ready:
                keys = os.read(0, _CHUNK_BYTES)
                if ESCAPE in keys:
                    raise Error("ended by Ctrl-]")
                end.sendall(keys)
            if changed in ready:
                os.read(changed, _CHUNK_BYTES)
                agent.execute(scripts.resized(device, _size()))
            if not ready:
                outcome = agent.outcome(pid)
        write_all(1, marks.rest())
    return outcome or agent.wait_for(pid)


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Let one command at a time find out which terminal is its own."""
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _terminals(agent: GuestAgent) -> set[str]:
    return set(agent.execute(scripts.terminals()).stdout.decode("utf-8", "replace").split())


def _new_terminal(agent: GuestAgent, before: set[str]) -> str:
    deadline_s = time.monotonic() + _FIND_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if new := _terminals(agent) - before:
            return new.pop()
        time.sleep(_FIND_POLL_S)
    raise ConflictError(
        "the guest has no terminal left", hint="end another 'ingot exec --tty' of the machine"
    )


def _size() -> tuple[int, int]:
    size = os.get_terminal_size(0)
    return size.lines, size.columns


@contextlib.contextmanager
def _size_changes() -> Iterator[int]:
    """Yield a descriptor that can be read when the terminal has another size."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def handler(signum: int, frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(writer, b"!")

    earlier = signal.signal(signal.SIGWINCH, handler)
    try:
        yield reader
    finally:
        signal.signal(signal.SIGWINCH, earlier)
        os.close(reader)
        os.close(writer)
