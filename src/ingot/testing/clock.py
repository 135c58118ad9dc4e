"""A clock that stands still until a test moves it."""

from __future__ import annotations

_NS_PER_S = 10**9


class FakeClock:
    """A `Clock` for tests.

    Args:
        start_s: seconds since the Unix epoch.
    """

    def __init__(self, start_s: float = 1_800_000_000.0) -> None:
        self._now_ns = int(start_s * _NS_PER_S)

    def now_ns(self) -> int:
        """Return the time it was set to."""
        return self._now_ns

    def monotonic_s(self) -> float:
        """Return the same in seconds."""
        return self._now_ns / _NS_PER_S

    def advance(self, duration_s: float) -> None:
        """Let time pass."""
        assert duration_s >= 0, "time does not step back"
        self._now_ns += int(duration_s * _NS_PER_S)
