"""Buckets on every kind of engine."""

from __future__ import annotations

import asyncio

import pytest

from ingot.store import keys
from ingot.store.errors import BucketExistsError, BucketNotEmptyError, NoSuchBucketError
from ingot.testing.stores import make_body, put_bytes, read_bytes


def test_a_bucket_is_found_and_listed_after_its_creation(with_store, clock):
    async def test(store):
        record = await store.buckets.create("another")
        assert store.buckets.get("another") == record
        assert record.created_ns == clock.now_ns()
        assert [name for name, _ in store.buckets.list()] == ["another", "bucket"]
        assert store.buckets.list(after="another", limit=1)[0][0] == "bucket"
        assert [name for name, _ in store.buckets.list(prefix="bu")] == ["bucket"]
        assert store.buckets.list(prefix="bu", after="bucket") == []

    with_store(test)


def test_a_name_is_taken_once(with_store):
    async def test(store):
        with pytest.raises(BucketExistsError):
            await store.buckets.create("bucket")
        outcomes = await asyncio.gather(
            *(store.buckets.create("race") for _ in range(20)), return_exceptions=True
        )
        assert sum(isinstance(item, BucketExistsError) for item in outcomes) == 19

    with_store(test)


def test_what_does_not_exist_is_an_error(with_store):
    async def test(store):
        body = await make_body(store, b"x")
        with pytest.raises(NoSuchBucketError):
            store.buckets.get("absent")
        with pytest.raises(NoSuchBucketError):
            await store.buckets.delete("absent")
        with pytest.raises(NoSuchBucketError):
            store.objects.get("absent", "key")
        with pytest.raises(NoSuchBucketError):
            store.objects.list("absent")
        with pytest.raises(NoSuchBucketError):
            await store.objects.put("absent", "key", body)
        with pytest.raises(NoSuchBucketError):
            await store.objects.delete("absent", "key")
        with pytest.raises(NoSuchBucketError):
            await store.objects.delete_many("absent", ["key"])
        with pytest.raises(NoSuchBucketError):
            await store.uploads.create("absent", "key")
        with pytest.raises(NoSuchBucketError):
            store.uploads.list("absent")

    with_store(test)


def test_only_an_empty_bucket_is_deleted(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"content")
        with pytest.raises(BucketNotEmptyError):
            await store.buckets.delete("bucket")
        assert await read_bytes(store, "bucket", "key") == b"content"
        await store.objects.delete("bucket", "key")
        await store.buckets.delete("bucket")
        with pytest.raises(NoSuchBucketError):
            store.buckets.get("bucket")

    with_store(test)


def test_a_bucket_made_anew_has_nothing_of_the_old_one(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "old", b"content")
        upload = await store.uploads.create("bucket", "unfinished")
        await store.objects.delete("bucket", "old")
        await store.buckets.delete("bucket")
        await store.buckets.create("bucket")
        assert store.objects.list("bucket").objects == []
        assert store.uploads.list("bucket").uploads == []
        await put_bytes(store, "bucket", "new", b"new content")
        assert await read_bytes(store, "bucket", "new") == b"new content"
        assert upload.upload_id

    with_store(test)


def test_of_deleting_a_bucket_and_putting_into_it_one_wins(with_store):
    async def test(store):
        for index in range(30):
            name = f"race{index}"
            await store.buckets.create(name)
            store.buckets.partition(name)  # as a server that served the bucket before
            put, deleted = await asyncio.gather(
                put_bytes(store, name, "key", b"content"),
                store.buckets.delete(name),
                return_exceptions=True,
            )
            if deleted is None:
                assert isinstance(put, NoSuchBucketError)
                with pytest.raises(NoSuchBucketError):
                    store.buckets.get(name)
            else:
                assert isinstance(deleted, BucketNotEmptyError)
                assert await read_bytes(store, name, "key") == b"content"

    with_store(test)


def test_a_deletion_that_a_crash_interrupted_is_finished(with_store):
    async def test(store):
        partition = store.buckets.partition("bucket")
        await store._catalog.commit(partition, deletes=[keys.FENCE])
        with pytest.raises(NoSuchBucketError):
            await put_bytes(store, "bucket", "key", b"content")
        with pytest.raises(NoSuchBucketError):
            await store.buckets.delete("bucket")
        await store._catalog.commit(keys.BUCKETS, deletes=[b"other"])
        await store.buckets.create("bucket")
        await put_bytes(store, "bucket", "key", b"content")
        assert await read_bytes(store, "bucket", "key") == b"content"

    with_store(test)


def test_what_a_crash_left_of_a_bucket_is_not_listed(with_store):
    async def test(store):
        names = [f"bucket-{number}" for number in range(6)]
        for name in names:
            await store.buckets.create(name)
        for name in names[1:4]:
            await store._catalog.commit(store.buckets.partition(name), deletes=[keys.FENCE])
        living = [names[0], *names[4:]]
        assert [name for name, _ in store.buckets.list(prefix="bucket-")] == living
        assert [name for name, _ in store.buckets.list(prefix="bucket-", limit=2)] == living[:2]
        listed = store.buckets.list(prefix="bucket-", after=names[0], limit=1)
        assert [name for name, _ in listed] == [names[4]]

    with_store(test)


def test_more_buckets_than_are_remembered(with_store, monkeypatch):
    monkeypatch.setattr("ingot.store.buckets._PLACES_CACHED_MAX", 2)

    async def test(store):
        for index in range(5):
            await store.buckets.create(f"b{index}")
            await put_bytes(store, f"b{index}", "key", b"%d" % index)
        for index in range(5):
            assert await read_bytes(store, f"b{index}", "key") == b"%d" % index

    with_store(test)
