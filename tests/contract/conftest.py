"""The object store on each kind of engine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ingot.store.store import ObjectStore
from ingot.testing.clock import FakeClock
from ingot.testing.stores import memory_store

WithStore = Callable[[Callable[[ObjectStore], Awaitable[None]]], None]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "disk"])
def with_store(request, tmp_path, clock) -> WithStore:
    """Run a coroutine function with a new store that has the bucket `bucket`."""

    def run(test: Callable[[ObjectStore], Awaitable[None]]) -> None:
        async def body() -> None:
            if request.param == "memory":
                store = memory_store(clock)
            else:
                store = ObjectStore.open(tmp_path / "store", clock=clock)
            try:
                await store.buckets.create("bucket")
                await test(store)
            finally:
                store.close()

        asyncio.run(body())

    return run
