"""Cutting into parts, and running them: the first failure ends all and is the one told."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingot.base.limits import PARTS_MAX
from ingot.base.units import GIB, MIB, TIB
from ingot.s3client.parts import Meter, StoppedTransferError, TransferOptions, run_parts


@pytest.mark.parametrize("size_bytes", [0, 1, 16 * MIB, 16 * MIB + 1, 3 * GIB + 7, 5 * TIB])
def test_parts_cover_everything_once(size_bytes: int) -> None:
    parts = TransferOptions().parts(size_bytes)
    assert len(parts) <= PARTS_MAX
    assert sum(part.length for part in parts) == size_bytes
    end = 0
    for part in parts:
        assert part.start == end
        assert part.length > 0
        end += part.length
    assert len({part.length for part in parts[:-1]}) <= 1


def ignore(amount_bytes: int) -> None:
    pass


def test_results_come_in_order() -> None:
    with ThreadPoolExecutor(4) as threads:
        found = run_parts(threads, lambda item: item * 2, list(range(100)), Meter(ignore))
    assert found == [item * 2 for item in range(100)]


def test_the_first_failure_stops_the_others() -> None:
    meter = Meter(ignore)
    started = []
    running = threading.Event()

    def work(item: int) -> None:
        started.append(item)
        if item == 1:
            running.wait(10)
            raise ValueError
        running.set()
        while True:
            meter(1)

    with ThreadPoolExecutor(2) as threads, pytest.raises(ValueError):
        run_parts(threads, work, list(range(50)), meter)
    # The failed thread may have begun the next item before the rest were dropped.
    assert started[:2] == [0, 1]
    assert len(started) < 50


def test_a_stopped_meter_counts_no_more() -> None:
    counted: list[int] = []
    meter = Meter(counted.append)
    meter(5)
    meter.stop()
    with pytest.raises(StoppedTransferError):
        meter(6)
    assert counted == [5]
