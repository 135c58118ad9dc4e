"""Versions on every kind of engine."""

from __future__ import annotations

import asyncio

import pytest

from ingot.store.errors import (
    BucketNotEmptyError,
    DeletedError,
    DeleteMarkerError,
    NoSuchBucketError,
    NoSuchKeyError,
    NoSuchVersionError,
)
from ingot.store.fences import Versioning
from ingot.store.manifest import CompletedPart
from ingot.testing.blobs_contract import random_bytes
from ingot.testing.stores import make_body, put_bytes, read_bytes

LARGE = random_bytes(100_000)


async def keep_versions(store, state=Versioning.ENABLED):
    await store.buckets.set_versioning("bucket", state)


async def read_version(store, key, version_id):
    stored = store.objects.get("bucket", key, version_id=version_id)
    return b"".join([piece async for piece in store.objects.read(stored)])


def listed(store, **options):
    page = store.objects.list_versions("bucket", **options)
    return [
        (v.key, v.record.version_id, v.record.delete_marker, v.is_latest) for v in page.versions
    ]


def test_a_bucket_says_how_it_keeps_versions(with_store):
    async def test(store):
        assert store.buckets.rules("bucket").versioning is Versioning.OFF
        for state in (Versioning.ENABLED, Versioning.ENABLED, Versioning.SUSPENDED):
            await keep_versions(store, state)
            assert store.buckets.rules("bucket").versioning is state
        with pytest.raises(NoSuchBucketError):
            store.buckets.rules("absent")

    with_store(test)


def test_every_put_is_a_version(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"before")
        await keep_versions(store)
        small = await put_bytes(store, "bucket", "key", b"small")
        large = await put_bytes(store, "bucket", "key", LARGE)
        other = await put_bytes(store, "bucket", "key2", b"other")
        assert await read_bytes(store, "bucket", "key") == LARGE
        assert await read_version(store, "key", large.version_id) == LARGE
        assert await read_version(store, "key", small.version_id) == b"small"
        assert await read_version(store, "key", "null") == b"before"
        assert listed(store) == [
            ("key", large.version_id, False, True),
            ("key", small.version_id, False, False),
            ("key", "null", False, False),
            ("key2", other.version_id, False, True),
        ]
        assert [item.key for item in store.objects.list("bucket").objects] == ["key", "key2"]
        for absent in ("", "x", "null\0", "f" * 32, "0" * 16 + "null"):
            with pytest.raises(NoSuchVersionError):
                store.objects.get("bucket", "key", version_id=absent)
        with pytest.raises(NoSuchVersionError):
            store.objects.get("bucket", "key2", version_id="null")

    with_store(test)


def test_deleting_adds_a_marker_and_removing_it_brings_the_object_back(with_store):
    async def test(store):
        await keep_versions(store)
        kept = await put_bytes(store, "bucket", "key", LARGE)
        first = await store.objects.delete("bucket", "key")
        second = await store.objects.delete("bucket", "key")
        assert first.delete_marker
        assert second.delete_marker
        assert first.version_id != second.version_id
        assert store.objects.list("bucket").objects == []
        with pytest.raises(DeletedError) as caught:
            store.objects.get("bucket", "key")
        assert caught.value.version_id == second.version_id
        with pytest.raises(DeleteMarkerError):
            store.objects.get("bucket", "key", version_id=first.version_id)
        assert listed(store) == [
            ("key", second.version_id, True, True),
            ("key", first.version_id, True, False),
            ("key", kept.version_id, False, False),
        ]
        removed = await store.objects.delete_versions("bucket", {"key": [second.version_id]})
        assert removed["key", second.version_id] == second
        with pytest.raises(DeletedError):
            store.objects.get("bucket", "key")
        await store.objects.delete_versions("bucket", {"key": [first.version_id]})
        assert await read_bytes(store, "bucket", "key") == LARGE
        assert listed(store) == [("key", kept.version_id, False, True)]
        with pytest.raises(NoSuchKeyError) as caught:
            store.objects.get("bucket", "never")
        assert not isinstance(caught.value, DeletedError)

    with_store(test)


def test_removing_the_latest_version_promotes_the_next(with_store, clock):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"before")
        await keep_versions(store)
        old = await put_bytes(store, "bucket", "key", LARGE)
        await store.objects.delete("bucket", "key")
        new = await put_bytes(store, "bucket", "key", b"new")
        await store.objects.delete_versions("bucket", {"key": [new.version_id]})
        with pytest.raises(DeletedError):
            store.objects.get("bucket", "key")
        ids = [version_id for _, version_id, _, _ in listed(store)]
        await store.objects.delete_versions("bucket", {"key": [ids[0], old.version_id, "absent"]})
        assert await read_bytes(store, "bucket", "key") == b"before"
        assert listed(store) == [("key", "null", False, True)]
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1
        assert await store.objects.delete_versions("bucket", {"key": ["null"]}) != {}
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "key")
        await store.buckets.delete("bucket")

    with_store(test)


def test_while_suspended_there_is_one_null_version(with_store, clock):
    async def test(store):
        await keep_versions(store)
        kept = await put_bytes(store, "bucket", "key", b"kept")
        await keep_versions(store, Versioning.SUSPENDED)
        for content in (LARGE, b"2"):
            record = await put_bytes(store, "bucket", "key", content)
            assert record.version_id == "null"
        assert listed(store) == [
            ("key", "null", False, True),
            ("key", kept.version_id, False, False),
        ]
        marker = await store.objects.delete("bucket", "key")
        assert marker == ("null", True)
        assert listed(store) == [
            ("key", "null", True, True),
            ("key", kept.version_id, False, False),
        ]
        await keep_versions(store)
        newest = await put_bytes(store, "bucket", "key", b"newest")
        assert [item[1:3] for item in listed(store)] == [
            (newest.version_id, False),
            ("null", True),
            (kept.version_id, False),
        ]
        await keep_versions(store, Versioning.SUSPENDED)
        await put_bytes(store, "bucket", "key", b"null again")
        assert [item[1] for item in listed(store)] == ["null", newest.version_id, kept.version_id]
        clock.advance(10**6)
        assert await store.maintenance.collect() == 1  # the large null version

    with_store(test)


def test_versions_stay_in_order_while_the_clock_stands_still(with_store):
    async def test(store):
        await keep_versions(store)
        contents = [b"1", b"2", b"3"]
        for content in contents:
            await put_bytes(store, "bucket", "key", content)
            await store.objects.delete("bucket", "key")
        page = store.objects.list_versions("bucket")
        objects = [v.record.version_id for v in page.versions if not v.record.delete_marker]
        read = [await read_version(store, "key", version_id) for version_id in objects]
        assert read == [b"3", b"2", b"1"]

    with_store(test)


def test_copies_and_completed_uploads_are_versions(with_store):
    async def test(store):
        await keep_versions(store)
        first = await put_bytes(store, "bucket", "key", LARGE)
        upload = await store.uploads.create("bucket", "key")
        part = await store.uploads.put_part(
            "bucket", "key", upload.upload_id, 1, await make_body(store, b"part", inline_max=-1)
        )
        named = [CompletedPart(1, part.etag)]
        made = await store.uploads.complete("bucket", "key", upload.upload_id, named)
        source = store.objects.get("bucket", "key", version_id=first.version_id)
        restored = await store.objects.copy(source, "bucket", "key")
        assert [item[1] for item in listed(store)] == [
            restored.version_id,
            made.version_id,
            first.version_id,
        ]
        assert await read_bytes(store, "bucket", "key") == LARGE
        assert await read_version(store, "key", made.version_id) == b"part"
        ids = [first.version_id, restored.version_id]
        await store.objects.delete_versions("bucket", {"key": ids})
        assert await read_bytes(store, "bucket", "key") == b"part"

    with_store(test)


def test_many_keys_are_deleted_at_once(with_store):
    async def test(store):
        await keep_versions(store)
        kept = {name: await put_bytes(store, "bucket", name, b"x") for name in "abc"}
        removed = await store.objects.delete_many("bucket", ["a", "b", "absent", "a"])
        assert all(item.delete_marker for item in removed.values())
        assert [item.key for item in store.objects.list("bucket").objects] == ["c"]
        wanted = {name: [removed[name].version_id] for name in ("a", "b")}
        wanted["c"] = [kept["c"].version_id]
        await store.objects.delete_versions("bucket", wanted)
        assert [item.key for item in store.objects.list("bucket").objects] == ["a", "b"]

    with_store(test)


def test_a_bucket_of_markers_is_not_empty(with_store):
    async def test(store):
        await keep_versions(store)
        marker = await store.objects.delete("bucket", "key")
        with pytest.raises(BucketNotEmptyError):
            await store.buckets.delete("bucket")
        await store.objects.delete_versions("bucket", {"key": [marker.version_id]})
        await store.buckets.delete("bucket")

    with_store(test)


def test_a_precondition_sees_the_version_that_is_removed(with_store):
    async def test(store):
        await keep_versions(store)
        record = await put_bytes(store, "bucket", "key", b"content")
        seen = []

        def refuse(found):
            seen.append(found)
            raise KeyError

        for version_id in (record.version_id, "null"):
            with pytest.raises(KeyError):
                await store.objects.delete_versions(
                    "bucket", {"key": [version_id]}, precondition=refuse
                )
        assert seen == [record, None]
        assert await read_bytes(store, "bucket", "key") == b"content"

    with_store(test)


def test_writers_that_began_before_versioning_obey_it(with_store):
    async def test(store):
        await put_bytes(store, "bucket", "key", b"before")
        bodies = [await make_body(store, b"%d" % index) for index in range(20)]
        await asyncio.gather(
            keep_versions(store),
            *(store.objects.put("bucket", "key", body) for body in bodies),
        )
        await put_bytes(store, "bucket", "key", b"after")
        versions = listed(store)
        assert versions[0][1] != "null"
        assert sum(version_id == "null" for _, version_id, _, _ in versions) == 1

    with_store(test)


def test_racing_writers_leave_an_orderly_key(with_store):
    async def test(store):
        await keep_versions(store)
        for index in range(20):
            key = f"key{index}"
            kept = await put_bytes(store, "bucket", key, b"kept")
            marker = await store.objects.delete("bucket", key)
            outcomes = await asyncio.gather(
                store.objects.delete_versions("bucket", {key: [marker.version_id]}),
                store.objects.delete("bucket", key),
                put_bytes(store, "bucket", key, b"new"),
                store.objects.delete_versions("bucket", {key: [kept.version_id]}),
                store.objects.delete("bucket", key),
            )
            assert len(outcomes) == 5
            versions = [item for item in listed(store) if item[0] == key]
            assert len(versions) == 3
            assert [latest for *_, latest in versions] == [True, False, False]
            is_object = not versions[0][2]
            assert is_object == (key in [o.key for o in store.objects.list("bucket").objects])

    with_store(test)
