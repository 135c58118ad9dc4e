"""The scrubber on both kinds of store: all is read, damage is told once, a place is kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import pytest

from ingot.store import keys, scrub
from ingot.store.catalog.contract import Put
from ingot.store.fences import Versioning
from ingot.store.scrub import ScrubRecord
from ingot.store.verify import verify_all
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.stores import make_body, put_bytes

LARGE = random_bytes(700_000, 1)
DAY_S = 24 * 3600.0


class Watching:
    """A watcher that remembers."""

    def __init__(self):
        self.state = ScrubRecord()
        self.rows = self.size_bytes = self.passes = 0
        self.found = []
        self.done = asyncio.Event()

    def stands(self, state):
        self.state = state

    def verified(self, rows, size_bytes):
        self.rows += rows
        self.size_bytes += size_bytes

    def damaged(self, damage):
        self.found.append(damage)

    def passed(self):
        self.passes += 1
        self.done.set()


async def fill(store):
    """Make 10 rows: 4 objects, 3 older versions, a marker, an upload, a part; 8 LARGE in blobs."""
    await store.buckets.create("versions")
    await store.buckets.set_versioning("versions", Versioning.ENABLED)
    await put_bytes(store, "bucket", "small", b"small")
    await put_bytes(store, "bucket", "large/\1", LARGE)
    for content in (LARGE, b"small", LARGE):
        await put_bytes(store, "versions", "key", content)
    await put_bytes(store, "versions", "gone", b"")
    await store.objects.delete("versions", "gone")
    upload = await store.uploads.create("bucket", "parts")
    part = await part_of(store, upload, 1, LARGE)
    await store.uploads.complete("bucket", "parts", upload.upload_id, [part])
    upload = await store.uploads.create("bucket", "unfinished")
    await part_of(store, upload, 1, LARGE * 4)


async def part_of(store, upload, number, content):
    key = "parts" if number == 1 and len(content) == len(LARGE) else "unfinished"
    body = await make_body(store, content, inline_max=-1)
    return await store.uploads.put_part("bucket", key, upload.upload_id, number, body)


def test_everything_is_read_once(with_store):
    async def test(store):
        await fill(store)
        watching = Watching()
        await store.scrubber.once(watching)
        assert (watching.rows, watching.size_bytes) == (10, 8 * len(LARGE))
        assert (watching.found, watching.passes) == ([], 1)

    with_store(test)


def test_damage_is_told_with_what_it_is(with_store, caplog):
    async def test(store):
        await fill(store)
        partition = store.buckets.partition("bucket")
        old, _ = store._catalog.get_with_attachment(partition, b"o/small")
        await store._catalog.commit(partition, puts=[Put(b"o/small", old, b"Small")])
        lost = store.objects.get("bucket", "large/\1").record.blob
        store.bodies.blobs.delete([lost.id])
        versions = store.buckets.partition("versions")
        (key, value), *_ = store._catalog.scan(versions, keys.VERSIONS, b"w", limit=1)
        await store._catalog.commit(versions, puts=[Put(key, value[:-1] + b"\0", None)])
        watching = Watching()
        with caplog.at_level(logging.ERROR):
            await store.scrubber.once(watching)
        told = {(d.bucket, d.key, d.version_id): d.message for d in watching.found}
        assert told.keys() == {
            ("bucket", "small", "null"),
            ("bucket", "large/\1", "null"),
            ("versions", keys.name_of(key), ""),
        }
        assert "missing" in told["bucket", "large/\1", "null"]
        assert caplog.text.count("store.damaged bucket=") == 3
        assert watching.rows == 10, "it goes on behind what is damaged"

    with_store(test)


def test_what_is_removed_meanwhile_is_no_damage(with_store):
    async def test(store):
        await fill(store)
        partition = store.buckets.partition("bucket")
        steps = verify_all(store._catalog, store.bodies.blobs)
        found = []
        while not found or found[-1].place.partition != partition or not found[-1].rows:
            found.append(next(steps))
        # The next row was read from the catalog already, its blob was not.
        (part,) = store.objects.get("bucket", "parts").parts
        store.bodies.blobs.delete([part.blob.id])
        await store._catalog.commit(partition, deletes=[b"o/parts"])
        found += steps
        assert [step.damage for step in found if step.damage] == []
        assert sum(step.rows for step in found) == 10

    with_store(test)


async def run_until(store, watching, *, rate_bytes=0, interval_s=DAY_S, linger_s=0.05):
    task = asyncio.ensure_future(
        store.scrubber.run(watching, rate_bytes=rate_bytes, interval_s=interval_s)
    )
    await asyncio.wait_for(watching.done.wait(), 60)
    await asyncio.sleep(linger_s)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_pass_is_due_after_the_interval(with_store, clock, monkeypatch):
    monkeypatch.setattr(scrub, "INTERVAL_S", 0.001)

    async def test(store):
        await fill(store)
        first = Watching()
        await run_until(store, first)
        assert (first.passes, first.rows) == (1, 10)
        assert not first.state.is_under_way
        assert first.state.finished_bytes == 8 * len(LARGE)
        clock.advance(DAY_S - 1)
        idle = Watching()
        idle.done.set()
        await run_until(store, idle)
        assert (idle.passes, idle.rows, idle.state) == (0, 0, first.state)
        clock.advance(1)
        again = Watching()
        await run_until(store, again)
        assert (again.passes, again.rows) == (1, 10)

    with_store(test)


def test_it_goes_on_where_it_was(with_store, monkeypatch):
    monkeypatch.setattr(scrub, "INTERVAL_S", 0.0)
    monkeypatch.setattr(scrub, "_STEP_BYTES", 1)

    async def test(store):
        await fill(store)
        total = runs = 0
        while True:
            runs += 1
            watching = Watching()
            verified = watching.verified

            def some(rows, size_bytes, verified=verified, watching=watching):
                verified(rows, size_bytes)
                if watching.size_bytes > 1_000_000:
                    watching.done.set()

            watching.verified = some
            await run_until(store, watching, linger_s=0)
            total += watching.size_bytes
            if watching.passes:
                break
        assert runs > 2, "it was stopped on the way"
        assert watching.state.finished_bytes >= 8 * len(LARGE)
        # A piece that was read when it was stopped may be read again.
        assert total <= watching.state.finished_bytes + runs * (2 << 20)

    with_store(test)


def test_a_place_that_cannot_be_read_is_no_obstacle(with_store, monkeypatch):
    monkeypatch.setattr(scrub, "INTERVAL_S", 0.001)

    async def test(store):
        await fill(store)
        await store._catalog.commit(keys.MAINTENANCE, puts=[Put(keys.SCRUB, b"\xc1")])
        watching = Watching()
        await run_until(store, watching)
        assert watching.rows == 10

    with_store(test)


@pytest.mark.parametrize("rate_bytes", [0, 1000])
def test_the_pace_is_kept(rate_bytes, monkeypatch):
    async def test():
        slept = []

        async def sleep(duration_s):
            slept.append(duration_s)

        monkeypatch.setattr(scrub.asyncio, "sleep", sleep)
        pace = scrub.Pace(rate_bytes)
        for _ in range(3):
            await pace.spend(600)
        return slept

    slept = asyncio.run(test())
    assert [round(duration_s) for duration_s in slept] == ([] if not rate_bytes else [1, 1, 2])
