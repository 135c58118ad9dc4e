"""Large transfers wait for each other as long as they are fast, and small ones for nobody."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from ingot.base.units import MIB
from ingot.s3client.lanes import LARGE_FROM_BYTES, SLOW_BYTES_PER_S, Lanes


class Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def transfer(lanes: Lanes, time: Time, *, took_s: float, size_bytes: int = 10 * MIB) -> None:
    with lanes.lane(size_bytes):
        time.now_s += took_s


def test_no_more_than_there_are_lanes_run_at_once() -> None:
    lanes = Lanes(2)
    running, most = [0], [0]
    lock, together = threading.Lock(), threading.Barrier(2)

    def move() -> None:
        with lanes.lane(LARGE_FROM_BYTES):
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            together.wait(10)
            with lock:
                running[0] -= 1

    threads = [threading.Thread(target=move) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == [2]


def test_small_ones_pass_while_all_lanes_are_taken() -> None:
    lanes = Lanes(1)
    with lanes.lane(LARGE_FROM_BYTES), ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(lanes.lane(LARGE_FROM_BYTES - 1))


def test_each_slow_one_opens_a_lane_and_a_fast_one_none() -> None:
    time = Time()
    lanes = Lanes(4, monotonic_s=time)
    just_fast_s = 10 * MIB / SLOW_BYTES_PER_S
    transfer(lanes, time, took_s=just_fast_s)
    assert lanes.count == 4
    for _ in range(3):
        transfer(lanes, time, took_s=just_fast_s * 1.01)
    assert lanes.count == 7
    transfer(lanes, time, took_s=60, size_bytes=LARGE_FROM_BYTES - 1)
    assert lanes.count == 7


def test_one_that_fails_gives_its_lane_back() -> None:
    lanes = Lanes(1)
    for _ in range(3):
        with pytest.raises(OSError, match="gone"), lanes.lane(LARGE_FROM_BYTES):
            raise OSError("gone")
