"""Limits of how many bytes a second go out or come in, over all connections of a transport."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from ingot.base.units import KIB
from ingot.transport.cord import pause

# A body leaves in pieces of this size, so that a low rate flows instead of bursting.
_PIECE_BYTES = 16 * KIB
# And one comes in in these.
METERED_BYTES = 64 * KIB
# What was not used may be caught up for this long.
_BURST_S = 0.1


class Throttle:
    """Makes its callers wait so that together they stay below a rate; safe in several threads.

    Args:
        bytes_per_s: the rate.
        monotonic_s: tells the time.
        sleep: waits (seconds).
    """

    def __init__(
        self,
        bytes_per_s: int,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = pause,
    ) -> None:
        assert bytes_per_s > 0, bytes_per_s
        self._s_per_byte = 1 / bytes_per_s
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._lock = threading.Lock()
        # When all that was asked for so far will have passed at the rate.
        self._due_s = monotonic_s()

    def __call__(self, size_bytes: int) -> None:
        """Wait until that many bytes more may have passed."""
        with self._lock:
            now_s = self._monotonic_s()
            self._due_s = max(self._due_s, now_s - _BURST_S) + size_bytes * self._s_per_byte
            wait_s = self._due_s - now_s
        if wait_s > 0:
            self._sleep(wait_s)


def throttle(bytes_per_s: int | None) -> Throttle | None:
    """Return what keeps to a rate; None for none."""
    return None if bytes_per_s is None else Throttle(bytes_per_s)


def metered(pieces: Iterator[bytes], meter: Callable[[int], None]) -> Iterator[bytes]:
    """Yield what comes and tell its sizes: a reader that waits makes the sender wait."""
    for piece in pieces:
        meter(len(piece))
        yield piece


def throttled(
    body: bytes | Callable[[], Iterable[bytes]], meter: Callable[[int], None]
) -> Callable[[], Iterator[bytes]]:
    """Return a body that leaves in small pieces, each told before it does."""

    def pieces() -> Iterator[bytes]:
        for block in (body,) if isinstance(body, bytes) else body():
            for start in range(0, len(block), _PIECE_BYTES):
                piece = block[start : start + _PIECE_BYTES]
                meter(len(piece))
                yield piece

    return pieces
