"""The QEMU guest agent's protocol: running a program inside the guest and bringing back its output.

Commands and their fields: QEMU's docs/interop/qemu-ga-ref (guest-sync-delimited, guest-exec).
"""

from __future__ import annotations

import base64
import binascii
import math
import secrets
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ingot.base.errors import ConflictError, Error, UsageError
from ingot.base.units import MIB
from ingot.vm.control.sockets import connect

SOCKET_NAME = "agent.sock"

_T = TypeVar("_T")

INPUT_BYTES_MAX = 8 * MIB
"""Of standard input; the agent takes it in one JSON message."""

ANSWER_BYTES_MAX = 64 * MIB
"""Of one answer; the agent captures 16 MiB of each stream, which base64 makes longer by a third."""

_SENTINEL = b"\xff"
_CALL_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 5.0
_KILL = ("/bin/busybox", "kill", "-TERM")
_SYNC_TIMEOUT_S = 2.0
_CHUNK_BYTES = 1 << 16
_POLL_FIRST_S = 0.02
_POLL_LIMIT_S = 0.5


class AgentUnavailableError(ConflictError):
    """The guest agent does not answer (yet)."""

    slug = "agent-unavailable"


class AgentRefusedError(Error):
    """The guest agent refused a command, or broke the protocol."""

    slug = "agent"


class Outcome(msgspec.Struct, frozen=True):
    """How a program in the guest ended.

    Attributes:
        exit_code: its own, or 128 + the number of the signal that ended it.
        truncated: whether the agent cut the output (at 16 MiB a stream).
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool


class _Ended(msgspec.Struct, rename="kebab"):
    exited: bool
    exitcode: int | None = None
    signal: int | None = None
    out_data: str = ""
    err_data: str = ""
    out_truncated: bool = False
    err_truncated: bool = False


class _Started(msgspec.Struct):
    pid: int


class _Failure(msgspec.Struct):
    desc: str = "no reason given"


class _Answer(msgspec.Struct):
    result: Any = msgspec.field(name="return", default=None)
    error: _Failure | None = None


class GuestAgent:
    """The agent of one machine.

    The connection is opened for each exchange and closed after it, because the hypervisor serves
    one client at a time: so commands that run long do not shut others out.

    Args:
        directory: the machine's folder, with `agent.sock` in it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def wait(self, timeout_s: float) -> None:
        """Return when the agent answers.

        Raises:
            AgentUnavailableError: it does not within `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            try:
                self._call("guest-ping", {}, sync_timeout_s=_SYNC_TIMEOUT_S)
            except ConflictError as error:
                if time.monotonic() >= deadline_s:
                    raise AgentUnavailableError(
                        f"the guest agent of machine {self._directory.name!r} does not answer",
                        hint="the machine may still be booting, or its image has no agent; see"
                        f" 'ingot logs {self._directory.name}'",
                    ) from error
                time.sleep(_POLL_FIRST_S)
            else:
                return

    def execute(self, command: Sequence[str], *, stdin: bytes = b"") -> Outcome:
        """Run a program in the guest's operating system, as root, and wait until it ends.

        Raises:
            Error: see `start` and `wait_for`.
        """
        return self.wait_for(self.start(command, stdin=stdin))

    def start(self, command: Sequence[str], *, stdin: bytes = b"") -> int:
        """Start a program in the guest and return its process id.

        Args:
            command: absolute path (or a name on the agent's PATH) and arguments; no shell.
            stdin: what it reads, at most `INPUT_BYTES_MAX`.

        Raises:
            UsageError: too much input.
            AgentRefusedError: the program could not be started.
            AgentUnavailableError: the agent does not answer.
        """
        if len(stdin) > INPUT_BYTES_MAX:
            raise UsageError(
                f"standard input has more than {INPUT_BYTES_MAX // MIB} MiB",
                hint="bring larger data into the guest through the service itself",
            )
        arguments: dict[str, object] = {
            "path": command[0],
            "arg": list(command[1:]),
            "capture-output": True,
        }
        if stdin:
            arguments["input-data"] = base64.b64encode(stdin).decode()
        return _convert(self._call("guest-exec", arguments), _Started).pid

    def wait_for(self, pid: int, timeout_s: float = math.inf) -> Outcome:
        """Wait until a program that was started here has ended.

        Raises:
            AgentUnavailableError: the agent, or the machine, went away meanwhile; or the program
                still runs after `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        delay_s = _POLL_FIRST_S
        while True:
            outcome = self.outcome(pid)
            if outcome is not None:
                return outcome
            if time.monotonic() >= deadline_s:
                raise AgentUnavailableError(f"process {pid} in the guest still runs")
            time.sleep(delay_s)
            delay_s = min(_POLL_LIMIT_S, delay_s * 1.5)

    def outcome(self, pid: int) -> Outcome | None:
        """Return how a program that was started here has ended, once; None if it still runs.

        Raises:
            AgentUnavailableError: the agent, or the machine, went away meanwhile.
        """
        ended = _convert(self._call("guest-exec-status", {"pid": pid}), _Ended)
        return _outcome(ended) if ended.exited else None

    def end(self, pid: int) -> None:
        """End a program that was started here by SIGTERM.

        Raises:
            Error: the agent does not answer, or the program does not end.
        """
        # An interrupt may have come in the middle of an exchange.
        self.wait(_END_TIMEOUT_S)
        self.execute([*_KILL, str(pid)])
        self.wait_for(pid, _END_TIMEOUT_S)

    def _call(
        self,
        command: str,
        arguments: dict[str, object],
        *,
        sync_timeout_s: float = _CALL_TIMEOUT_S,
    ) -> object:
        with connect(self._directory, SOCKET_NAME, timeout_s=sync_timeout_s) as connection:
            try:
                pending = _synchronise(connection, time.monotonic() + sync_timeout_s)
                deadline_s = time.monotonic() + _CALL_TIMEOUT_S
                _send(connection, {"execute": command, "arguments": arguments}, deadline_s)
                line = _read_until(connection, b"\n", pending, deadline_s)
            except (OSError, TimeoutError, EOFError) as error:
                raise AgentUnavailableError(
                    f"the guest agent of machine {self._directory.name!r} does not answer"
                ) from error
        answer = _decode(line)
        if answer.error is not None:
            raise AgentRefusedError(f"the guest agent refused {command}: {answer.error.desc}")
        return answer.result


def _synchronise(connection: socket.socket, deadline_s: float) -> bytearray:
    """Throw away what an earlier client left in the channel, both ways; return what came after."""
    # 0xFF first: it makes the agent's parser forget a half command of someone else's.
    token = secrets.randbits(53)
    connection.sendall(_SENTINEL)
    _send(connection, {"execute": "guest-sync-delimited", "arguments": {"id": token}}, deadline_s)
    pending = bytearray()
    while True:
        # Before the sentinel stand answers nobody waited for.
        _read_until(connection, _SENTINEL, pending, deadline_s)
        line = _read_until(connection, b"\n", pending, deadline_s)
        if _decode(line).result == token:
            return pending


def _send(connection: socket.socket, message: dict[str, object], deadline_s: float) -> None:
    connection.settimeout(_left_s(deadline_s))
    connection.sendall(msgspec.json.encode(message) + b"\n")


def _read_until(
    connection: socket.socket, delimiter: bytes, pending: bytearray, deadline_s: float
) -> bytes:
    """Take the bytes before the delimiter out of `pending`, reading more as needed."""
    searched = 0
    while (end := pending.find(delimiter, searched)) < 0:
        searched = len(pending)
        if searched > ANSWER_BYTES_MAX:
            raise AgentRefusedError("the guest agent's answer has no end")
        connection.settimeout(_left_s(deadline_s))
        chunk = connection.recv(_CHUNK_BYTES)
        if not chunk:
            raise EOFError
        pending += chunk
    data = bytes(pending[:end])
    del pending[: end + len(delimiter)]
    return data


def _left_s(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _decode(line: bytes) -> _Answer:
    try:
        return msgspec.json.decode(line, type=_Answer)
    except msgspec.DecodeError as error:
        raise AgentRefusedError(f"the guest agent's answer cannot be read: {error}") from error


def _outcome(ended: _Ended) -> Outcome:
    if ended.exitcode is not None:
        exit_code = ended.exitcode
    elif ended.signal is not None:
        exit_code = 128 + ended.signal
    else:
        raise AgentRefusedError("the guest agent did not say how the program ended")
    try:
        stdout = base64.b64decode(ended.out_data, validate=True)
        stderr = base64.b64decode(ended.err_data, validate=True)
    except binascii.Error as error:
        raise AgentRefusedError("the guest agent sent output that is no base64") from error
    return Outcome(exit_code, stdout, stderr, ended.out_truncated or ended.err_truncated)


def _convert(value: object, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise AgentRefusedError(f"the guest agent's answer has another form: {error}") from error
