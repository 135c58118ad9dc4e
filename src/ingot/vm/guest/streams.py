"""A command in the guest with standard input, output and error of this process, as they come."""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from ingot.base.errors import Error, NotFoundError
from ingot.vm.guest import scripts
from ingot.vm.guest.agent import GuestAgent, Outcome
from ingot.vm.guest.console import write_all
from ingot.vm.guest.ports import plugged

TAIL_BYTES = 4096
"""Of standard error, kept for those who want to know what went wrong."""

_CHUNK_BYTES = 1 << 16
_LOOK_S = 1.0
_QUIET_S = 0.5


def run_streamed(
    directory: Path,
    command: Sequence[str],
    *,
    stdin: int | None,
    stdout: int = 1,
    stderr: int = 2,
) -> tuple[int, bytes]:
    """Run a command as root in the guest; return its exit code and the end of its standard error.

    Args:
        directory: the machine's folder.
        command: a program of the guest and its arguments.
        stdin: a descriptor to read from; None gives the command none.
        stdout: a descriptor to write to.
        stderr: another.

    Raises:
        NotFoundError: there is no such program.
        Error: the machine or its agent does not answer.
    """
    token = secrets.token_hex(8)
    agent = GuestAgent(directory)
    names = ["out", "err"] + (["in"] if stdin is not None else [])
    with plugged(directory, {f"{name}.{token}": "virtserialport" for name in names}) as ends:
        pid = agent.start(scripts.streams(token, command, has_input=stdin is not None))
        pump = _Pump(agent, pid, token, (stdout, stderr))
        try:
            pump.run([ends[f"out.{token}"], ends[f"err.{token}"]], stdin, ends.get(f"in.{token}"))
            outcome = pump.outcome or agent.wait_for(pid)
        except BaseException:
            with contextlib.suppress(Error):
                agent.end(pid)
            raise
    explain(outcome, command)
    return outcome.exit_code, pump.tail


def explain(outcome: Outcome, command: Sequence[str]) -> None:
    """Raise what the script around the command said, if it said something.

    Raises:
        NotFoundError: there is no such program.
        Error: the guest could not open its end of the ports.
    """
    said = outcome.stderr.decode("utf-8", "replace").strip()
    if outcome.exit_code == 127 and said == scripts.NO_PROGRAM:
        raise NotFoundError(
            f"the guest has no program {command[0]!r}",
            hint="the tools of its operating system are applets: busybox NAME",
        )
    if said:
        raise Error(f"the guest could not run {command[0]!r}: {said}")


class _Pump:
    def __init__(self, agent: GuestAgent, pid: int, token: str, targets: tuple[int, int]) -> None:
        self._agent = agent
        self._pid = pid
        self._filters = [scripts.MarkerFilter(token) for _ in targets]
        self._targets = targets
        self.outcome: Outcome | None = None
        self.tail = b""

    def run(
        self, outputs: list[socket.socket], stdin: int | None, sink: socket.socket | None
    ) -> None:
        """Pass everything on until both outputs have ended."""
        feed = _Feed(stdin, sink)
        open_outputs = list(outputs)
        look_s = time.monotonic() + _LOOK_S
        while open_outputs:
            reading: list[socket.socket | int] = [*open_outputs, *feed.reading()]
            ready, writable, _ = select.select(reading, feed.writing(), [], _LOOK_S)
            for index, end in enumerate(outputs):
                if end in ready and not self._take(index, end):
                    open_outputs.remove(end)
            feed.step(readable=stdin in ready, writable=bool(writable))
            if not ready and time.monotonic() >= look_s:
                look_s = time.monotonic() + _LOOK_S
                if self._has_ended_silently(outputs):
                    return

    def _take(self, index: int, end: socket.socket) -> bool:
        """Pass on what one output has; return False if it has ended."""
        data = end.recv(_CHUNK_BYTES)
        passed = self._filters[index].feed(data) if data else self._filters[index].rest()
        write_all(self._targets[index], passed)
        if index:
            self.tail = (self.tail + passed)[-TAIL_BYTES:]
        return bool(data) and not self._filters[index].done

    def _has_ended_silently(self, outputs: list[socket.socket]) -> bool:
        """Tell whether the command is gone without its marks, as after SIGKILL."""
        if self.outcome is None:
            self.outcome = self._agent.outcome(self._pid)
        if self.outcome is None:
            return False
        while ready := select.select(outputs, [], [], _QUIET_S)[0]:
            for end in ready:
                if not self._take(outputs.index(end), end):
                    outputs = [each for each in outputs if each is not end]
        for index, each in enumerate(self._filters):
            write_all(self._targets[index], each.rest())
        return True


class _Feed:
    """Standard input on its way to the guest, no more of it than the guest takes."""

    def __init__(self, stdin: int | None, sink: socket.socket | None) -> None:
        self._stdin = stdin
        self._sink = sink
        self._waiting = b""
        if sink is not None:
            sink.setblocking(False)

    def reading(self) -> list[int]:
        """Return what to read from now."""
        return [] if self._stdin is None or self._waiting else [self._stdin]

    def writing(self) -> list[socket.socket]:
        """Return what to write to now."""
        return [self._sink] if self._sink is not None and self._waiting else []

    def step(self, *, readable: bool, writable: bool) -> None:
        """Read or write once, as far as that is possible."""
        if readable and self._stdin is not None and self._sink is not None:
            self._waiting = os.read(self._stdin, _CHUNK_BYTES)
            if not self._waiting:
                self._stdin = None
                # Only this half: what is on its way to the guest must still arrive.
                with contextlib.suppress(OSError):
                    self._sink.shutdown(socket.SHUT_WR)
        if writable and self._sink is not None:
            try:
                self._waiting = self._waiting[self._sink.send(self._waiting) :]
            except BlockingIOError:
                return
            except OSError:
                # The machine has ended, which the outputs tell.
                self._stdin, self._waiting = None, b""
