"""Going round the buckets: what nobody counts is found, and what is gone forgotten."""

from __future__ import annotations

from ingot.store import census, keys
from ingot.store.fences import Versioning
from ingot.store.usage import NOTHING, Usage
from ingot.testing.stores import make_body, put_bytes


def held(store):
    return {item.bucket: item for item in store.census.all(limit=9)}


def test_a_round_finds_what_buckets_hold(with_store, clock, monkeypatch):
    monkeypatch.setattr(census, "_ROWS_MAX", 2)

    async def test(store):
        await store.buckets.create("counted")
        await store.quotas.set("counted", 1000)
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        for index in range(5):
            await put_bytes(store, "bucket", f"key{index}", b"x" * 10)
        await put_bytes(store, "bucket", "key0", b"x" * 10)
        await store.objects.delete("bucket", "key1")
        upload = await store.uploads.create("bucket", "key")
        body = await make_body(store, b"p" * 7, inline_max=-1)
        await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        await put_bytes(store, "counted", "key", b"x")
        assert (held(store)["bucket"].usage, held(store)["bucket"].found_ns) == (NOTHING, 0)
        await store.census.go_round()
        found_ns = clock.now_ns()
        clock.advance(60)
        found = held(store)
        assert found["bucket"][2:] == (Usage(67, 4, 6, 1), None, found_ns)
        assert found["counted"][2:] == (Usage(1, 1, 1), 1000, clock.now_ns())
        await put_bytes(store, "bucket", "more", b"x" * 33)
        await store.census.go_round()
        assert held(store)["bucket"].usage == Usage(100, 5, 7, 1)

    with_store(test)


def test_deleted_buckets_are_forgotten(with_store):
    async def test(store):
        await store.buckets.create("other")
        await store.census.go_round()
        stop = keys.behind_prefix(keys.CENSUS)
        rows = store._catalog.scan(keys.MAINTENANCE, keys.CENSUS, stop, limit=9)
        assert len(rows) == 2
        await store.buckets.delete("other")
        await store.census.go_round()
        rows = store._catalog.scan(keys.MAINTENANCE, keys.CENSUS, stop, limit=9)
        assert len(rows) == 1
        assert held(store).keys() == {"bucket"}

    with_store(test)
