"""The scrubber: reads everything a store holds, slowly, over and over, and tells of damage.

One process of those that share a directory scrubs at a time. It keeps its place in the catalog, so
that a restart, or the next process, goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import msgspec

from ingot.base.errors import Error
from ingot.base.units import KIB
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.core import Core
from ingot.store.records import SCHEMA
from ingot.store.verify import Damage, Place, Step, verify_all

# Whether a pass is due is looked at this often, and a place is kept this often.
INTERVAL_S = 30.0
# Between two passes, whatever the interval.
_PAUSE_S = 0.05
# What a step in a worker thread reads, and what a row counts as, whatever it holds.
_STEP_BYTES = 256 * KIB
_ROW_BYTES = 16 * KIB
_NS_PER_S = 10**9

_log = logging.getLogger(__name__)


class ScrubRecord(msgspec.Struct, frozen=True, array_like=True):
    """How far scrubbing is; kept in the catalog.

    Attributes:
        schema: `SCHEMA`.
        started_ns: when the last pass began; 0 if there was none.
        finished_ns: when the last one that was finished ended.
        finished_bytes: how much that one read.
        partition: where the unfinished pass is, as `Place`; empty when there is none.
        key: see `Place`.
        offset: see `Place`.
        verified_bytes: how much the unfinished pass has read.
    """

    schema: int = SCHEMA
    started_ns: int = 0
    finished_ns: int = 0
    finished_bytes: int = 0
    partition: str = ""
    key: bytes = b""
    offset: int = 0
    verified_bytes: int = 0

    @property
    def is_under_way(self) -> bool:
        """Whether a pass was begun and not finished."""
        return self.started_ns > self.finished_ns


class Watcher(Protocol):
    """Is told what scrubbing does."""

    def stands(self, state: ScrubRecord) -> None:
        """Take how far it is, when it begins, goes on and ends."""
        ...

    def verified(self, rows: int, size_bytes: int) -> None:
        """Take how much was just read."""
        ...

    def damaged(self, damage: Damage) -> None:
        """Take what is not as it was written."""
        ...

    def passed(self) -> None:
        """Take that everything was read."""
        ...


class Pace:
    """Keeps to a rate.

    Args:
        rate_bytes: per second; 0 for no limit.
    """

    def __init__(self, rate_bytes: int) -> None:
        self._rate_bytes = rate_bytes
        self._free_s = 0.0

    async def spend(self, size_bytes: int) -> None:
        """Wait until so much has had its time."""
        if self._rate_bytes:
            now_s = asyncio.get_running_loop().time()
            self._free_s = max(now_s, self._free_s) + size_bytes / self._rate_bytes
            await asyncio.sleep(self._free_s - now_s)


class _Gain(NamedTuple):
    """What some steps together brought."""

    place: Place | None
    rows: int
    size_bytes: int
    damages: list[Damage]


class Scrubber:
    """Reads and verifies a store.

    Args:
        core: the store.
        lock: makes a lock that yields whether this process may scrub now.
    """

    def __init__(self, core: Core, lock: Callable[[], AbstractContextManager[bool]]) -> None:
        self._catalog = core.catalog
        self._bodies = core.bodies
        self._clock = core.clock
        self._lock = lock

    async def run(self, watcher: Watcher, *, rate_bytes: int, interval_s: float) -> None:
        """Scrub for as long as the task lives; errors are logged, and it goes on later.

        Args:
            watcher: is told what happens.
            rate_bytes: how much is read per second at most.
            interval_s: from the beginning of a pass to that of the next one, at least.
        """
        while True:
            with self._lock() as granted:
                if granted:
                    try:
                        await self._pass_if_due(watcher, Pace(rate_bytes), interval_s)
                    except Exception:  # noqa: BLE001 # nothing here may end the worker
                        _log.exception("store.scrub.failed")
            await asyncio.sleep(max(_PAUSE_S, min(interval_s, INTERVAL_S)))

    async def once(self, watcher: Watcher, *, rate_bytes: int = 0) -> None:
        """Read everything once, whatever others do; no place is kept.

        Raises:
            StoreFailedError: the catalog cannot be read.
        """
        pace = Pace(rate_bytes)
        async for _ in self._verify(Place(), watcher, pace):
            pass
        watcher.passed()

    async def _pass_if_due(self, watcher: Watcher, pace: Pace, interval_s: float) -> None:
        state = await self._bodies.run(self._load)
        now_ns = self._clock.now_ns()
        if not state.is_under_way:
            if now_ns < state.started_ns + int(interval_s * _NS_PER_S):
                watcher.stands(state)
                return
            state = msgspec.structs.replace(state, started_ns=max(now_ns, state.finished_ns + 1))
        watcher.stands(state)
        _log.info("store.scrub.begun verified_bytes=%d", state.verified_bytes)
        await self._finish_pass(state, watcher, pace)

    async def _finish_pass(self, state: ScrubRecord, watcher: Watcher, pace: Pace) -> None:
        kept_s = asyncio.get_running_loop().time()
        begin = Place(state.partition, state.key, state.offset)
        try:
            async for gain in self._verify(begin, watcher, pace):
                state = _further(state, gain)
                now_s = asyncio.get_running_loop().time()
                if now_s >= kept_s + INTERVAL_S:
                    kept_s = now_s
                    await self._keep(state)
        except asyncio.CancelledError:
            # The catalog finishes what waits before it is closed.
            self._commit(state)
            raise
        state = ScrubRecord(
            started_ns=state.started_ns,
            finished_ns=max(self._clock.now_ns(), state.started_ns),
            finished_bytes=state.verified_bytes,
        )
        await self._keep(state)
        watcher.stands(state)
        watcher.passed()
        _log.info("store.scrub.done verified_bytes=%d", state.finished_bytes)

    async def _verify(
        self, begin: Place, watcher: Watcher, pace: Pace
    ) -> AsyncGenerator[_Gain, None]:
        steps = verify_all(self._catalog, self._bodies.blobs, begin)
        while True:
            gain = await self._bodies.run(_take, steps)
            watcher.verified(gain.rows, gain.size_bytes)
            for damage in gain.damages:
                _log.error(
                    "store.damaged bucket=%r key=%r version=%r %s",
                    damage.bucket,
                    damage.key,
                    damage.version_id,
                    damage.message,
                )
                watcher.damaged(damage)
            yield gain
            if gain.place is None:
                return
            await pace.spend(gain.size_bytes + gain.rows * _ROW_BYTES)

    def _load(self) -> ScrubRecord:
        value = self._catalog.get(keys.MAINTENANCE, keys.SCRUB)
        try:
            return ScrubRecord() if value is None else _decode(value)
        except msgspec.DecodeError as error:
            _log.error("store.damaged the place of the scrubber cannot be read: %s", error)
            return ScrubRecord()

    async def _keep(self, state: ScrubRecord) -> None:
        """Write down how far it is; what cannot be written is done again after a restart."""
        try:
            await self._commit(state)
        except Error as error:
            _log.warning("store.scrub.unkept %s", error)

    def _commit(self, state: ScrubRecord) -> Awaitable[None]:
        put = Put(keys.SCRUB, msgspec.msgpack.encode(state))
        return self._catalog.commit(keys.MAINTENANCE, puts=[put])


_decode = msgspec.msgpack.Decoder(ScrubRecord).decode


def _further(state: ScrubRecord, gain: _Gain) -> ScrubRecord:
    """Return how far a pass is after a gain."""
    partition, key, offset = gain.place or Place(state.partition, state.key, state.offset)
    return msgspec.structs.replace(
        state,
        partition=partition,
        key=key,
        offset=offset,
        verified_bytes=state.verified_bytes + gain.size_bytes,
    )


def _take(steps: Iterator[Step]) -> _Gain:
    """Take steps until they are worth a moment; the place is `None` behind the last one."""
    rows = size_bytes = 0
    damages: list[Damage] = []
    for step in steps:
        rows += step.rows
        size_bytes += step.size_bytes
        if step.damage is not None:
            damages.append(step.damage)
        if size_bytes + rows * _ROW_BYTES >= _STEP_BYTES:
            return _Gain(step.place, rows, size_bytes, damages)
    return _Gain(None, rows, size_bytes, damages)
