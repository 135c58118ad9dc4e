"""A disk of which a test rules each system call: which file, which call of its kind, what happens.

The process under test calls `submit`; from then on the kernel hands its calls (those listed) over
to the ruler, in the test's process, before they happen: seccomp's user notification
(https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html). So SQLite's own calls fail where it
makes them, a write can really be cut short, and a failed sync can lose what it was to keep.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from ingot.testing import faulty_disk

CALLS: Final = ("pread64", "pwrite64", "fsync", "fdatasync", "ftruncate", "mmap")
FOREVER: Final = 1 << 30

# struct seccomp_notif: id, thread, flags, then seccomp_data: number, architecture, instruction
# pointer, six arguments; struct seccomp_notif_resp: id, value, error, flags.
_NOTICE: Final = struct.Struct("QIIiIQ6Q")
_ANSWER: Final = struct.Struct("QqiI")
_RECEIVE: Final = 0xC0000000 | _NOTICE.size << 16 | 0x2100
_SEND: Final = 0xC0000000 | _ANSWER.size << 16 | 0x2101
_CONTINUE: Final = 1
_POLL_MS: Final = 100
_DESCRIPTOR_BYTES: Final = 4


class Fault(NamedTuple):
    """What happens to some calls.

    Attributes:
        call: its name; of `CALLS`.
        file: how the name of the file ends.
        number: the errno that the call fails with; 0 to cut it short instead.
        bytes_max: how many bytes a call that is cut short transfers; shorter ones do not match.
        first: which of the matching calls is the first it happens to, counted from 1.
        times: to how many it happens.
        forgets: a failed sync takes back what was written to the file since the last one.
    """

    call: str
    file: str
    number: int = 0
    bytes_max: int = 0
    first: int = 1
    times: int = FOREVER
    forgets: bool = False


class _Notice(NamedTuple):
    id: int
    thread: int
    call: str
    arguments: tuple[int, ...]


def submit(address: str, calls: Sequence[str] = CALLS) -> None:
    """Hand this process's calls over to the ruler at a socket's address, for good.

    Raises:
        OSError: the kernel takes no filter, or nobody listens.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        listener = faulty_disk.listen(calls)
        socket.send_fds(connection, [b"+"], [listener])
    os.close(listener)


class Ruler:
    """Rules the calls of one process from a thread; a context manager.

    Args:
        folder: where its socket is made.

    Attributes:
        hits: how many calls a fault has met.
    """

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "ruler.sock")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(self.address)
        self._socket.listen(1)
        self._names = faulty_disk.names_of_calls()
        self._faults: tuple[Fault, ...] = ()
        self._seen: dict[Fault, int] = {}
        self._unsynced: dict[str, list[tuple[int, int, bytes]]] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.hits = 0

    def take(self, timeout_s: float) -> None:
        """Wait until the process submits, then rule; without a fault every call just happens."""
        self._socket.settimeout(timeout_s)
        connection, _ = self._socket.accept()
        with connection:
            connection.settimeout(timeout_s)
            _, (listener,), _, _ = socket.recv_fds(connection, 1, 1)
        self._thread = threading.Thread(target=self._rule, args=(listener,), name="ruler")
        self._thread.start()

    def let(self, *faults: Fault) -> None:
        """Let these faults happen from now on, and no others."""
        self.hits = 0
        self._seen = dict.fromkeys(faults, 0)
        self._faults = faults

    def close(self) -> None:
        """Stop ruling; the process should be gone, for its calls would fail from now on."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rule(self, listener: int) -> None:
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        try:
            while not self._stopping.is_set():
                for _, events in poll.poll(_POLL_MS):
                    if events & ~select.POLLIN:
                        return  # the process is gone
                    self._decide(listener)
        finally:
            os.close(listener)

    def _decide(self, listener: int) -> None:
        data = bytearray(_NOTICE.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, data)
            ident, thread, _, number, _, _, *arguments = _NOTICE.unpack(data)
            notice = _Notice(ident, thread, self._names[number], tuple(arguments))
            answer = self._answer(notice)
            fcntl.ioctl(listener, _SEND, _ANSWER.pack(ident, *answer))
        except FileNotFoundError:
            pass  # the thread was killed meanwhile

    def _answer(self, notice: _Notice) -> tuple[int, int, int]:
        """Return value, error and flags."""
        descriptor = notice.arguments[4 if notice.call == "mmap" else 0]
        link = f"/proc/{notice.thread}/fd/{descriptor & 0xFFFFFFFF}"
        try:
            path = os.readlink(link)
        except OSError:
            return 0, 0, _CONTINUE  # memory of no file
        fault = self._fault(notice, path)
        if fault is None:
            self._remember(notice, path, link)
            return 0, 0, _CONTINUE
        self.hits += 1
        if fault.number:
            if fault.forgets:
                self._forget(path, link)
            return 0, -fault.number, 0
        return _transfer(notice, link, fault.bytes_max), 0, 0

    def _fault(self, notice: _Notice, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.call != notice.call or not path.endswith(fault.file):
                continue
            if fault.number or notice.arguments[2] > fault.bytes_max:
                self._seen[fault] += 1
                if fault.first <= self._seen[fault] < fault.first + fault.times:
                    return fault
        return None

    def _remember(self, notice: _Notice, path: str, link: str) -> None:
        """Note what a write replaces, and that a sync makes it final."""
        if not any(fault.forgets and path.endswith(fault.file) for fault in self._faults):
            return
        undo = self._unsynced.setdefault(path, [])
        if notice.call in faulty_disk.SYNCS:
            undo.clear()
        elif notice.call == "pwrite64":
            with open(link, "rb", buffering=0) as file:
                size_bytes = os.fstat(file.fileno()).st_size
                old = os.pread(file.fileno(), notice.arguments[2], notice.arguments[3])
            undo.append((size_bytes, notice.arguments[3], old))

    def _forget(self, path: str, link: str) -> None:
        """Take back what was written since the last sync, the newest first."""
        with open(link, "r+b", buffering=0) as file:
            for size_bytes, offset, old in reversed(self._unsynced.pop(path, [])):
                os.pwrite(file.fileno(), old, offset)
                os.ftruncate(file.fileno(), size_bytes)


def _transfer(notice: _Notice, link: str, bytes_max: int) -> int:
    """Do a part of a read or a write; return how many bytes that were."""
    _, buffer, _, offset, *_ = notice.arguments
    with (
        open(link, "r+b", buffering=0) as file,
        open(f"/proc/{notice.thread}/mem", "r+b", buffering=0) as memory,
    ):
        if notice.call == "pwrite64":
            data = os.pread(memory.fileno(), bytes_max, buffer)
            return os.pwrite(file.fileno(), data, offset)
        data = os.pread(file.fileno(), bytes_max, offset)
        return os.pwrite(memory.fileno(), data, buffer) if data else 0
