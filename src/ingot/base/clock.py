"""Time as a value that is handed in, so that tests own it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the rooms need of time."""

    def now_ns(self) -> int:
        """Return nanoseconds since the Unix epoch (UTC)."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds of a clock that never steps back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return nanoseconds since the Unix epoch (UTC)."""
        return time.time_ns()

    def monotonic_s(self) -> float:
        """Return seconds of a clock that never steps back."""
        return time.monotonic()
