"""Quotas: exact, whoever writes meanwhile, and counted again when a count was cut short."""

from __future__ import annotations

import asyncio

import pytest

from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.errors import NoSuchBucketError, QuotaExceededError
from ingot.store.fences import Quota, Versioning, encode_fence
from ingot.store.usage import Usage
from ingot.testing.stores import make_body, put_bytes


def test_what_fits_is_taken_and_what_does_not_is_refused(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "old", b"x" * 40)
        assert store.quotas.get("bucket") is None
        await store.quotas.set("bucket", 100)
        assert store.quotas.get("bucket") == 100
        await put_bytes(store, "bucket", "new", b"x" * 60)
        assert store.quotas.usage("bucket") == Usage(100, 2, 2)
        with pytest.raises(QuotaExceededError):
            await put_bytes(store, "bucket", "more", b"x")
        await put_bytes(store, "bucket", "empty", b"")
        with pytest.raises(QuotaExceededError):
            await store.objects.copy(store.objects.get("bucket", "old"), "bucket", "more")
        await put_bytes(store, "bucket", "old", b"y" * 40)
        await store.objects.delete("bucket", "old")
        await put_bytes(store, "bucket", "more", b"x" * 40)
        await store.quotas.clear("bucket")
        assert store.quotas.get("bucket") is None
        assert store.quotas.usage("bucket") is None
        await put_bytes(store, "bucket", "old", b"x" * 1000)

    with_store(test)


def test_a_bucket_above_its_quota_shrinks_and_does_not_grow(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"x" * 100)
        await store.quotas.set("bucket", 50)
        with pytest.raises(QuotaExceededError):
            await put_bytes(store, "bucket", "key", b"x" * 101)
        await put_bytes(store, "bucket", "key", b"x" * 99)
        assert store.quotas.usage("bucket") == Usage(99, 1, 1)
        await store.quotas.set("bucket", 99)
        with pytest.raises(QuotaExceededError):
            await put_bytes(store, "bucket", "other", b"x")

    with_store(test)


def test_versions_and_parts_count(with_store):
    async def test(store):
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        await store.quotas.set("bucket", 100)
        await put_bytes(store, "bucket", "key", b"x" * 40)
        await put_bytes(store, "bucket", "key", b"x" * 40)
        upload = await store.uploads.create("bucket", "key")
        for _ in range(2):
            body = await make_body(store, b"p" * 20, inline_max=-1)
            await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        assert store.quotas.usage("bucket") == Usage(100, 1, 2)
        body = await make_body(store, b"p", inline_max=-1)
        with pytest.raises(QuotaExceededError):
            await store.uploads.put_part("bucket", "key", upload.upload_id, 2, body)
        await store.uploads.abort("bucket", "key", upload.upload_id)
        await store.objects.delete("bucket", "key")
        assert store.quotas.usage("bucket") == Usage(80, 0, 2, 1)

    with_store(test)


def test_room_is_asked_for_before_a_body_is_stored(with_store):
    async def test(store):
        store.quotas.require_room("bucket", "key", 1 << 50)
        await put_bytes(store, "bucket", "key", b"x" * 60)
        await store.quotas.set("bucket", 100)
        store.quotas.require_room("bucket", "key", 100)
        store.quotas.require_room("bucket", "other", 40)
        for key, size_bytes in (("key", 101), ("other", 41)):
            with pytest.raises(QuotaExceededError):
                store.quotas.require_room("bucket", key, size_bytes)
        await store.buckets.set_versioning("bucket", Versioning.SUSPENDED)
        store.quotas.require_room("bucket", "key", 100)
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        with pytest.raises(QuotaExceededError):
            store.quotas.require_room("bucket", "key", 100)
        upload = await store.uploads.create("bucket", "key")
        body = await make_body(store, b"p" * 40, inline_max=-1)
        await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        part = (upload.upload_id, 1)
        store.quotas.require_room("bucket", "key", 40, part=part)
        with pytest.raises(QuotaExceededError):
            store.quotas.require_room("bucket", "key", 41, part=part)

    with_store(test)


def test_what_is_written_while_a_quota_is_set_is_counted_once(with_store):
    async def test(store):
        async def write(index):
            await put_bytes(store, "bucket", f"key{index % 30}", b"x" * index)
            if index % 7 == 0:
                await store.objects.delete("bucket", f"key{(index + 3) % 30}")

        async def change(index):
            await asyncio.sleep(0.001 * index)
            await (
                store.quotas.clear("bucket")
                if index % 3 == 2
                else store.quotas.set("bucket", 10_000 + index)
            )

        await asyncio.gather(*(write(index) for index in range(200)), *map(change, range(8)))
        await store.quotas.set("bucket", 10_000)
        listed = store.objects.list("bucket").objects
        held = sum(item.record.size_bytes for item in listed)
        assert store.quotas.usage("bucket") == Usage(held, len(listed), len(listed))

    with_store(test)


def test_writers_at_the_limit_never_pass_it(with_store):
    async def test(store):
        await store.quotas.set("bucket", 100)
        writes = [put_bytes(store, "bucket", f"key{index}", b"x" * 7) for index in range(40)]
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(isinstance(item, QuotaExceededError) for item in outcomes) == 40 - 14
        assert store.quotas.usage("bucket") == Usage(98, 14, 14)

    with_store(test)


def test_a_count_that_was_cut_short_is_made_up_for(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"x" * 60)
        place = store.buckets.refresh("bucket")
        fence = encode_fence(place.rules._replace(quota=Quota(100, "mark")))
        await store._catalog.commit(place.partition, puts=[Put(keys.FENCE, fence)])
        # Until it is counted nothing is refused, and what changes is counted from here on.
        await put_bytes(store, "bucket", "other", b"x" * 200)
        assert store.quotas.get("bucket") == 100
        assert store.quotas.usage("bucket") is None
        store.quotas.require_room("bucket", "key", 1000)
        assert await store.maintenance.count() == 1
        assert await store.maintenance.count() == 0
        assert store.quotas.usage("bucket") == Usage(260, 2, 2)
        with pytest.raises(QuotaExceededError):
            await put_bytes(store, "bucket", "more", b"x")

    with_store(test)


def test_a_bucket_takes_its_quota_along_when_it_goes(with_store):
    async def test(store):
        partition = store.buckets.partition("bucket")
        await store.quotas.set("bucket", 100)
        upload = await store.uploads.create("bucket", "key")
        body = await make_body(store, b"p", inline_max=-1)
        await store.uploads.put_part("bucket", "key", upload.upload_id, 1, body)
        await store.buckets.delete("bucket")
        await store.uploads.clear_parts(partition, upload.upload_id)
        assert store._catalog.get(partition, keys.USAGE) is None
        with pytest.raises(NoSuchBucketError):
            await store.quotas.set("bucket", 1)
        await store.buckets.create("bucket")
        assert store.quotas.get("bucket") is None

    with_store(test)


def test_other_rules_leave_the_quota_alone(with_store):
    async def test(store):
        await store.quotas.set("bucket", 100)
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        await store.buckets.set_lock("bucket", None)
        assert store.quotas.get("bucket") == 100
        assert store.buckets.rules("bucket").lockable
        await store.quotas.clear("bucket")
        assert store.buckets.rules("bucket").lockable

    with_store(test)
