"""Group commit: what waits is gathered, bounded, and never left hanging."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from ingot.store.catalog import committer as module
from ingot.store.catalog.committer import Commit, Committer
from ingot.store.catalog.contract import Put
from ingot.store.errors import StoreBusyError, StoreFailedError, StoreFullError


class Writer:
    """Records the groups it is given; holds the first one until it is let go."""

    def __init__(self):
        self.groups = []
        self.closed = False
        self.go = threading.Event()
        self.error = None
        self.gathers = False

    def __call__(self, group, gather):
        self.groups.append([commit.puts[0].key for commit in group])
        assert self.go.wait(10)
        if self.gathers:
            gather()
            self.groups[-1] = [commit.puts[0].key for commit in group]
        if self.error is not None:
            raise self.error
        return [None] * len(group)

    def close(self):
        self.closed = True


def put(committer, index, size_bytes=1, prior=None):
    return committer.submit(
        Commit("p", (), [Put(b"%d" % index, b"v", b"x" * size_bytes)], (), prior=prior)
    )


async def until(condition):
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")


def run(test):
    async def body():
        writer = Writer()
        committer = Committer(writer, writer.close)
        try:
            await test(committer, writer)
        finally:
            writer.go.set()
            committer.close()
        assert writer.closed

    asyncio.run(body())


def test_what_comes_while_a_group_is_written_shares_the_next_one():
    async def test(committer, writer):
        first = put(committer, 0)
        await until(lambda: writer.groups)
        others = [put(committer, index) for index in range(1, 6)]
        writer.go.set()
        await asyncio.gather(first, *others)
        assert writer.groups == [[b"0"], [b"1", b"2", b"3", b"4", b"5"]]

    run(test)


def test_what_comes_while_a_group_must_wait_joins_it(monkeypatch):
    monkeypatch.setattr(module, "GROUP_COMMITS_MAX", 4)

    async def test(committer, writer):
        writer.gathers = True
        first = put(committer, 0)
        await until(lambda: writer.groups)
        others = [put(committer, index) for index in range(1, 6)]
        writer.go.set()
        await asyncio.gather(first, *others)
        assert writer.groups == [[b"0", b"1", b"2", b"3"], [b"4", b"5"]]

    run(test)


def test_closing_finishes_what_joins_late():
    async def test(committer, writer):
        writer.gathers = True
        first = put(committer, 0)
        await until(lambda: writer.groups)
        second = put(committer, 1)
        closing = asyncio.create_task(asyncio.to_thread(committer.close))
        await asyncio.sleep(0.01)
        writer.go.set()
        await asyncio.gather(first, second, closing)
        assert writer.groups == [[b"0", b"1"]]

    run(test)


def test_a_group_is_bounded(monkeypatch):
    monkeypatch.setattr(module, "GROUP_COMMITS_MAX", 3)
    monkeypatch.setattr(module, "GROUP_BYTES_MAX", 1000)

    async def test(committer, writer):
        first = put(committer, 0)
        await until(lambda: writer.groups)
        others = [put(committer, index) for index in range(1, 5)]
        others += [put(committer, index, 600) for index in range(5, 9)]
        writer.go.set()
        await asyncio.gather(first, *others)
        assert [len(group) for group in writer.groups] == [1, 3, 3, 2]

    run(test)


def test_more_than_may_wait_is_refused(monkeypatch):
    monkeypatch.setattr(module, "PENDING_COMMITS_MAX", 2)

    async def test(committer, writer):
        first = put(committer, 0)
        await until(lambda: writer.groups)
        waiting = [put(committer, index) for index in (1, 2)]
        with pytest.raises(StoreBusyError):
            await put(committer, 3)
        writer.go.set()
        await asyncio.gather(first, *waiting)

    run(test)


def test_after_a_failure_nothing_is_acknowledged(caplog):
    caplog.set_level(logging.CRITICAL)

    async def test(committer, writer):
        writer.error = ValueError("broken")
        first = put(committer, 0)
        await until(lambda: writer.groups)
        second = put(committer, 1)
        writer.go.set()
        for waiting in (first, second, put(committer, 2)):
            with pytest.raises(StoreFailedError, match="broken"):
                await waiting
        assert committer.failure == "broken"
        assert len(writer.groups) == 1

    run(test)


class Prior:
    """Bytes to be sealed; sealing waits until it may go on, and fails as it is told."""

    size_bytes = 1

    def __init__(self, failure=None):
        self.failure = failure
        self.go = threading.Event()
        self.seal_all = self._seal_all

    def _seal_all(self, priors):
        assert self.go.wait(10)
        if isinstance(self.failure, ValueError):
            raise self.failure
        return [self.failure for _ in priors]


def test_sealing_holds_up_only_those_that_wait_for_it():
    async def test(committer, writer):
        writer.go.set()
        prior, full = Prior(), Prior(StoreFullError("full"))
        waiting = put(committer, 0, prior=prior)
        refused = put(committer, 1, prior=full)
        await put(committer, 2)
        assert writer.groups == [[b"2"]]
        prior.go.set()
        full.go.set()
        await waiting
        with pytest.raises(StoreFullError):
            await refused
        assert writer.groups == [[b"2"], [b"0"]]

    run(test)


def test_a_bug_while_sealing_is_a_failure(caplog):
    caplog.set_level(logging.CRITICAL)

    async def test(committer, writer):
        writer.go.set()
        prior = Prior(ValueError("broken"))
        prior.go.set()
        with pytest.raises(StoreFailedError, match="broken"):
            await put(committer, 0, prior=prior)
        # One that came before the failure need not have waited for it.
        with pytest.raises(StoreFailedError, match="broken"):
            await put(committer, 1)
        assert writer.groups == []

    run(test)


def test_closing_finishes_what_waits_to_be_sealed():
    async def test(committer, writer):
        writer.go.set()
        prior = Prior()
        waiting = put(committer, 0, prior=prior)
        closing = asyncio.create_task(asyncio.to_thread(committer.close))
        await asyncio.sleep(0.01)
        prior.go.set()
        await asyncio.gather(waiting, closing)
        assert writer.groups == [[b"0"]]

    run(test)


def test_closing_finishes_what_waits():
    async def test(committer, writer):
        first = put(committer, 0)
        await until(lambda: writer.groups)
        second = put(committer, 1)
        writer.go.set()
        await asyncio.to_thread(committer.close)
        await asyncio.gather(first, second)
        with pytest.raises(StoreFailedError, match="closed"):
            await put(committer, 2)

    run(test)


def test_a_waiter_whose_loop_is_gone_holds_up_nobody():
    writer = Writer()
    committer = Committer(writer, writer.close)

    async def leave():
        put(committer, 0)

    asyncio.run(leave())

    async def stay():
        waiting = put(committer, 1)
        writer.go.set()
        await waiting

    asyncio.run(stay())
    committer.close()
