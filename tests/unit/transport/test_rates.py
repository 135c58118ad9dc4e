"""Rate limits on a clock of our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingot.transport.rates import Throttle, metered, throttle, throttled


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def throttled_clock(bytes_per_s: int) -> tuple[Clock, Throttle]:
    clock = Clock()
    return clock, Throttle(bytes_per_s, monotonic_s=clock.monotonic_s, sleep=clock.sleep)


@given(
    rate=st.integers(1, 10**9),
    sizes=st.lists(st.integers(1, 10**6), min_size=1, max_size=50),
    pause_s=st.floats(0, 1),
)
def test_no_stretch_of_time_has_more_than_its_share(
    rate: int, sizes: list[int], pause_s: float
) -> None:
    clock, take = throttled_clock(rate)
    began_s = clock.now_s
    for size_bytes in sizes:
        take(size_bytes)
    clock.sleep(pause_s)
    take(1)
    passed = sum(sizes) + 1
    # What was saved up by doing nothing is worth a tenth of a second at most.
    assert clock.now_s - began_s >= passed / rate - pause_s - 0.1 - 1e-6
    assert clock.now_s - began_s <= passed / rate + pause_s + 1e-6


def test_both_ways_are_measured() -> None:
    seen: list[int] = []
    data = bytes(40_000)
    assert b"".join(throttled(data, seen.append)()) == data
    assert (sum(seen), max(seen)) == (40_000, 16_384)
    seen.clear()
    assert b"".join(throttled(lambda: [data, b"x"], seen.append)()) == data + b"x"
    assert sum(seen) == 40_001
    seen.clear()
    assert list(metered(iter([b"ab", b"c"]), seen.append)) == [b"ab", b"c"]
    assert seen == [2, 1]


def test_no_limit_is_no_throttle() -> None:
    assert throttle(None) is None
    assert throttle(10) is not None
