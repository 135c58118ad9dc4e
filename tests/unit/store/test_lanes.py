"""Lanes: order, one thread at a time, back-pressure, and failures that are heard of."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingot.store.lanes import Lane


class Work:
    """Takes pieces when it may; notes them, and whether two were ever taken at once."""

    def __init__(self):
        self.taken = []
        self.go = threading.Semaphore(0)
        self.took = threading.Semaphore(0)
        self.failure = None
        self.overlapped = False
        self._busy = threading.Lock()

    def __call__(self, piece):
        self.overlapped |= not self._busy.acquire(blocking=False)
        try:
            assert self.go.acquire(timeout=10)
            self.taken.append(piece)
            self.took.release()
            if self.failure is not None:
                raise self.failure
        finally:
            self._busy.release()


def run(test):
    async def body():
        work = Work()
        with ThreadPoolExecutor(4) as pool:
            lane = Lane(pool.submit, work)
            try:
                await test(lane, work)
            finally:
                work.go.release(1000)
        assert not work.overlapped

    asyncio.run(body())


def test_pieces_are_taken_in_order_by_one_thread():
    async def test(lane, work):
        work.go.release(1000)
        pieces = [b"%03d" % index for index in range(200)]
        for index, piece in enumerate(pieces):
            lane.put(piece)
            if index % 7 == 0:
                await lane.until(0)
        await lane.until(0)
        assert work.taken == pieces
        assert lane.left_bytes == 0

    run(test)


def test_whoever_waits_is_woken_when_little_enough_is_left():
    async def test(lane, work):
        for _ in range(5):
            lane.put(b"x" * 10)
        waiting = asyncio.ensure_future(lane.until(20))
        work.go.release(2)
        for _ in range(2):
            assert await asyncio.to_thread(work.took.acquire, timeout=10)
        await asyncio.sleep(0.01)
        assert not waiting.done()
        work.go.release(1)
        await asyncio.wait_for(waiting, 10)
        assert len(work.taken) == 3
        assert lane.left_bytes == 20

    run(test)


def test_after_a_failure_nothing_more_is_done_and_every_waiter_hears_of_it():
    async def test(lane, work):
        work.failure = ValueError("broken")
        for _ in range(5):
            lane.put(b"x")
        work.go.release(1)
        for left_bytes in (0, 100):
            with pytest.raises(ValueError, match="broken"):
                await lane.until(left_bytes)
        lane.put(b"later")
        with pytest.raises(ValueError, match="broken"):
            await lane.until(0)
        assert work.taken == [b"x"]

    run(test)


def test_what_is_stopped_leaves_the_rest_undone():
    async def test(lane, work):
        for _ in range(5):
            lane.put(b"x")
        lane.stop(ValueError("not wanted"))
        work.go.release(1)
        with pytest.raises(ValueError, match="not wanted"):
            await lane.until(0)
        assert len(work.taken) <= 1
        assert lane.left_bytes == 0

    run(test)


def test_a_waiter_that_was_cancelled_is_nobody():
    async def test(lane, work):
        lane.put(b"x")
        waiting = asyncio.ensure_future(lane.until(0))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        work.go.release(1)
        await lane.until(0)
        assert work.taken == [b"x"]

    run(test)
