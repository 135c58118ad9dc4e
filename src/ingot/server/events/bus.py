"""How workers tell each other of events: a datagram socket for each, made before the fork.

Nobody waits for anybody: what does not fit into a worker's inbox is lost, and that worker is told
so, and ends the streams of its listeners rather than leaving a gap in them.
"""

from __future__ import annotations

import mmap
import socket

import msgspec

from ingot.s3.eventrecords import Event

_INBOX_BYTES = 1024 * 1024
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


class Bus:
    """The sockets of all workers; made before they are forked, which share it.

    Args:
        workers: how many.
    """

    def __init__(self, workers: int = 1) -> None:
        alone = workers == 1
        self._pairs = [
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            for _ in range(0 if alone else workers)
        ]
        for inbox, outbox in self._pairs:
            inbox.setblocking(False)
            outbox.setblocking(False)
            outbox.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _INBOX_BYTES)
        # How many listeners each worker has, and how many events it missed.
        self._shared = memoryview(mmap.mmap(-1, 2 * 8 * workers)).cast("Q")
        self.listeners = self._shared[:workers]
        self.lost = self._shared[workers:]

    def inbox(self, worker: int) -> socket.socket | None:
        """Return where a worker reads what others sent; a lone worker has no others."""
        return self._pairs[worker][0] if self._pairs else None

    def send(self, event: Event, *, sender: int) -> None:
        """Tell all other workers that have listeners."""
        data: bytes | None = None
        for worker, (_, outbox) in enumerate(self._pairs):
            if worker == sender or not self.listeners[worker]:
                continue
            data = data or _encode(event)
            try:
                outbox.send(data)
            except BlockingIOError:
                self.lost[worker] += 1

    def receive(self, worker: int) -> Event | None:
        """Return the next event of a worker's inbox; `None` when there is none."""
        try:
            return _decode(self._pairs[worker][0].recv(_INBOX_BYTES))
        except BlockingIOError:
            return None

    def close(self) -> None:
        """Close the sockets; for a process that made them and forks no workers any more."""
        for pair in self._pairs:
            for one in pair:
                one.close()
