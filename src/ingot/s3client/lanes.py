"""How many large files move at once: few if the machine is the limit, more if a network is."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from ingot.base.units import MIB

# Smaller ones wait for answers more than for bytes.
LARGE_FROM_BYTES = 4 * MIB
# What is slower than this waits for a peer: a processor that is shared by four is faster.
SLOW_BYTES_PER_S = 50 * MIB


class Lanes:
    """Lets a number of large transfers run, and one more after each that was slow.

    Large transfers that share few processors only take each other's caches and buffers. Where
    every one of them waits for a distant service, more at once are faster. Small ones just pass.

    Args:
        count: how many at the beginning.
        monotonic_s: tells the time.
    """

    def __init__(self, count: int, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        assert count >= 1, count
        self.count = count
        self._monotonic_s = monotonic_s
        self._running = 0
        self._change = threading.Condition()

    @contextlib.contextmanager
    def lane(self, size_bytes: int) -> Iterator[None]:
        """Wait for a lane, and hold it for a transfer of that size."""
        if size_bytes < LARGE_FROM_BYTES:
            yield
            return
        with self._change:
            self._change.wait_for(lambda: self._running < self.count)
            self._running += 1
        began_s = self._monotonic_s()
        try:
            yield
        finally:
            took_s = self._monotonic_s() - began_s
            with self._change:
                self._running -= 1
                if size_bytes < took_s * SLOW_BYTES_PER_S:
                    self.count += 1
                self._change.notify(2)
