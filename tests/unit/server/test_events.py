"""The hub and the bus: who is told of what, and what happens to who is too slow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator

import pytest

from ingot.s3.eventrecords import Event
from ingot.server.events import hub as hubs
from ingot.server.events.bus import Bus
from ingot.server.events.hub import EventHub, TooManyListenersError, Wish

PULSE = b" "
ALL = ("s3:ObjectCreated:*",)


@pytest.fixture
def bus() -> Iterator[Bus]:
    made = Bus(2)
    yield made
    made.close()


def event(key: str = "key", bucket: str = "bucket") -> Event:
    return Event("s3:ObjectCreated:Put", 1, bucket, key)


async def begun(hub: EventHub, wish: Wish) -> AsyncGenerator[bytes, None]:
    lines = hub.listen(wish, pulse_s=5, pulse=PULSE)
    assert await anext(lines) == PULSE
    return lines


async def keys_of(lines: AsyncGenerator[bytes, None]) -> list[str]:
    records = json.loads(await asyncio.wait_for(anext(lines), 5))["Records"]
    return [record["s3"]["object"]["key"] for record in records]


def test_a_listener_is_told_of_what_it_asked_for(bus: Bus) -> None:
    async def test() -> None:
        hub = EventHub(bus)
        lines = await begun(hub, Wish("bucket", ALL, "a/"))
        for one in (event("a/1"), event("b/1"), event("a/2", "other"), event("a/3")):
            hub.publish(one)
        assert await keys_of(lines) == ["a/1", "a/3"]
        everything = await begun(hub, Wish("", ALL))
        hub.publish(event("x", "other"))
        assert await keys_of(everything) == ["x"]

    asyncio.run(test())


def test_other_workers_are_told_only_while_they_have_listeners(bus: Bus) -> None:
    async def test() -> None:
        first, second = EventHub(bus, 0), EventHub(bus, 1)
        second.start()
        assert not first.wanted
        lines = await begun(second, Wish("bucket", ALL))
        assert first.wanted
        first.publish(event("far"))
        second.publish(event("near"))
        told: list[str] = []
        while len(told) < 2:
            told += await keys_of(lines)
        assert sorted(told) == ["far", "near"]
        await lines.aclose()
        assert not first.wanted
        first.publish(event())
        assert bus.receive(1) is None
        inbox = bus.inbox(1)
        assert inbox is not None
        asyncio.get_running_loop().remove_reader(inbox.fileno())

    asyncio.run(test())


def test_a_silent_stream_has_a_pulse(bus: Bus) -> None:
    async def test() -> None:
        lines = EventHub(bus).listen(Wish("", ALL), pulse_s=0.01, pulse=PULSE)
        assert [await anext(lines) for _ in range(3)] == [PULSE] * 3

    asyncio.run(test())


def test_who_is_too_far_behind_is_let_go(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "_WAITING_MAX", 3)

    async def test() -> None:
        hub = EventHub(bus)
        lines = await begun(hub, Wish("", ALL))
        for number in range(4):
            hub.publish(event(str(number)))
        with pytest.raises(StopAsyncIteration):
            await anext(lines)
        assert not hub.wanted

    asyncio.run(test())


def test_streams_end_when_the_inbox_was_full(bus: Bus) -> None:
    """A gap must not go unnoticed: who listens comes again and looks."""

    async def test() -> None:
        first, second = EventHub(bus, 0), EventHub(bus, 1)
        lines = await begun(second, Wish("", ALL))
        while not bus.lost[1]:
            first.publish(event("k" * 1000))
        async with asyncio.timeout(5):
            async for _ in lines:
                pass

    asyncio.run(test())


def test_streams_end_with_the_worker(bus: Bus) -> None:
    async def test() -> None:
        hub = EventHub(bus)
        lines = await begun(hub, Wish("", ALL))
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(waiting, 5)

    asyncio.run(test())


def test_there_are_only_so_many_listeners(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "_LISTENERS_MAX", 1)

    async def test() -> None:
        hub = EventHub(bus)
        await begun(hub, Wish("", ALL))
        with pytest.raises(TooManyListenersError):
            hub.listen(Wish("", ALL), pulse_s=1, pulse=PULSE)

    asyncio.run(test())
