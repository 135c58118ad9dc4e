"""A machine's serial console: following its log, and a terminal attached to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ingot.base.errors import ConflictError
from ingot.vm.control.sockets import connect
from ingot.vm.state.folders import MachineFolder

SOCKET_NAME = "console.sock"
ESCAPE = b"\x1d"
"""Ctrl-], as in telnet: the one key that the terminal keeps for itself."""

_CONNECT_TIMEOUT_S = 10.0
_CHUNK_BYTES = 1 << 16
_POLL_S = 0.03
_OUTPUT_FLAGS = 1  # the place of oflag in the list of termios.tcgetattr


class LogFollower:
    """Reads a growing log from where it stands, as the bytes arrive.

    Args:
        path: the log; it may not exist yet.
        offset: where to begin.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self._file: BinaryIO | None = None

    def read(self) -> bytes:
        """Return what was written since the last call, at most 64 KiB."""
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                return b""
            self._file.seek(self._offset)
        return self._file.read(_CHUNK_BYTES)

    def close(self) -> None:
        """Close the log."""
        if self._file is not None:
            self._file.close()


def tail(path: Path, lines_max: int) -> bytes:
    """Return the last lines of a file; nothing if there is none."""
    try:
        with path.open("rb") as file:
            size_bytes = os.fstat(file.fileno()).st_size
            block_bytes = _CHUNK_BYTES
            while True:
                start = max(0, size_bytes - block_bytes)
                file.seek(start)
                data = file.read(block_bytes)
                if start == 0 or data.count(b"\n") > lines_max:
                    break
                block_bytes *= 2
    except FileNotFoundError:
        return b""
    return b"".join(data.splitlines(keepends=True)[-lines_max:]) if lines_max else b""


def follow(
    path: Path, *, offset: int, ended: Callable[[], bool], wait: Callable[[float], None]
) -> Iterator[bytes]:
    """Yield what the console says until the machine has ended and all of it was read.

    Args:
        path: the console log.
        offset: where to begin.
        ended: whether the machine's process has ended.
        wait: sleeps for so many seconds, or shorter.
    """
    follower = LogFollower(path, offset)
    try:
        while True:
            over = ended()
            if data := follower.read():
                yield data
            elif over:
                return
            else:
                wait(_POLL_S)
    finally:
        follower.close()


@contextlib.contextmanager
def attached(folder: MachineFolder) -> Iterator[socket.socket]:
    """Connect to the console for typing; one terminal at a time.

    Raises:
        ConflictError: another terminal is attached, or the machine has no console.
    """
    lock = os.open(folder.path / "console.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"another terminal is attached to machine {folder.name!r}",
                hint=f"watch it with 'ingot logs --follow {folder.name}'",
            ) from error
        with connect(folder.path, SOCKET_NAME, timeout_s=_CONNECT_TIMEOUT_S) as connection:
            yield connection
    finally:
        os.close(lock)


@contextlib.contextmanager
def raw_terminal(descriptor: int, *, lines: bool = True) -> Iterator[None]:
    """Pass every key through as it is; with `lines`, keep turning newlines into new lines."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        attributes = termios.tcgetattr(descriptor)
        if lines:
            attributes[_OUTPUT_FLAGS] |= termios.OPOST
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


class Terminal:
    """Joins a terminal and a console: keys go to the socket, the log comes to the screen.

    What is shown is read from the log and not from the socket, so that nothing the machine said
    before the terminal was attached is lost; the socket's own output only rings the bell.

    Args:
        connection: from `attached`.
        keyboard: a descriptor to read keys from; None to only watch.
        screen: a descriptor to write to.
        log: the console log.
        offset: where in the log to begin.
    """

    def __init__(
        self, connection: socket.socket, keyboard: int | None, screen: int, log: Path, offset: int
    ) -> None:
        self._connection = connection
        self._keyboard = keyboard
        self._screen = screen
        self._follower = LogFollower(log, offset)
        self._connected = True

    def step(self, timeout_s: float = _POLL_S) -> bool:
        """Move what there is, waiting for at most `timeout_s`; return True if ESCAPE was typed."""
        sources = [self._connection.fileno()] if self._connected else []
        if self._keyboard is not None:
            sources.append(self._keyboard)
        readable = select.select(sources, [], [], timeout_s)[0]
        if self._connection.fileno() in readable:
            self._drain()
        self.show()
        return self._keyboard in readable and self._type()

    def show(self) -> None:
        """Write what the log has gained to the screen."""
        while data := self._follower.read():
            write_all(self._screen, data)

    def close(self) -> None:
        """Show the rest and close the log."""
        self.show()
        self._follower.close()

    def _drain(self) -> None:
        # The hypervisor stops the guest's output while nobody takes it from the socket.
        try:
            self._connected = bool(self._connection.recv(_CHUNK_BYTES))
        except OSError:
            self._connected = False

    def _type(self) -> bool:
        assert self._keyboard is not None
        keys = os.read(self._keyboard, _CHUNK_BYTES)
        if not keys:
            self._keyboard = None
            return False
        before, escape, _ = keys.partition(ESCAPE)
        if before and self._connected:
            with contextlib.suppress(OSError):
                self._connection.sendall(before)
        return bool(escape)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte, however little the descriptor takes at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
