"""How fast work goes and how long it will still take, from what was done when; pure."""

from __future__ import annotations

from collections import deque

from ingot.base.units import format_duration, format_size

# The rate is that of this long, so that it follows changes and does not jump.
_WINDOW_S = 15.0
_SAMPLES_MAX = 64


class Gauge:
    """Adds up what was done, and tells of it.

    Args:
        unit: `bytes`, or a plural noun.
        total: how much there is to do, if that is known.
        now_s: when it begins, seconds.
    """

    def __init__(self, unit: str, total: int | None, now_s: float) -> None:
        self.unit = unit
        self.total = total
        self.done = 0
        self.failed = 0
        self._samples: deque[tuple[float, int]] = deque([(now_s, 0)])

    def advance(self, amount: int, now_s: float) -> None:
        """Count; a negative amount takes back."""
        self.done += amount
        last_s, _ = self._samples[-1]
        # Samples stand apart, so that few of them reach back far enough.
        if now_s - last_s >= _WINDOW_S / _SAMPLES_MAX:
            self._samples.append((now_s, self.done))
        while len(self._samples) > 2 and now_s - self._samples[0][0] > _WINDOW_S:
            self._samples.popleft()

    def rate(self, now_s: float) -> float:
        """Return how much is done a second."""
        began_s, before = self._samples[0]
        elapsed_s = now_s - began_s
        return max(0.0, (self.done - before) / elapsed_s) if elapsed_s > 0 else 0.0

    def remaining_s(self, now_s: float) -> float | None:
        """Return how long the rest takes at this rate; None when nobody can tell."""
        rate = self.rate(now_s)
        if self.total is None or not rate or self.total < self.done:
            return None
        return (self.total - self.done) / rate

    def amount(self) -> str:
        """Say how much is done: `12.0 MiB of 40.0 MiB`, `3 of 9 objects, 1 failed`."""
        if self.unit == "bytes":
            done = format_size(self.done)
            text = f"{done} of {format_size(self.total)}" if self.total else done
        else:
            of = f" of {self.total}" if self.total else ""
            text = f"{self.done}{of} {self.unit}".rstrip()
        return f"{text}, {self.failed} failed" if self.failed else text

    def pace(self, now_s: float) -> str:
        """Say how fast it goes and how long the rest takes: `1.2 MiB/s, 23.3 s left`."""
        rate = self.rate(now_s)
        if self.unit == "bytes":
            text = f"{format_size(int(rate))}/s"
        else:
            text = f"{rate:.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        left_s = self.remaining_s(now_s)
        return text if left_s is None else f"{text}, {format_duration(left_s)} left"
