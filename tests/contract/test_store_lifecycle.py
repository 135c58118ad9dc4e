"""The lifecycle job on each kind of engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from ingot.s3.documents.lifecycle import (
    Expiration,
    Filter,
    LifecycleRule,
    NoncurrentExpiration,
    render,
)
from ingot.store.errors import NoSuchKeyError, NoSuchUploadError
from ingot.store.fences import Versioning
from ingot.store.lifecycle import SETTING
from ingot.store.locks import Lock
from ingot.store.store import ObjectStore

DAY_S = 24 * 3600

Test = Callable[[ObjectStore], Awaitable[None]]


async def put(store: ObjectStore, key: str, bucket: str = "bucket", **fields: object) -> str:
    writer = store.bodies.writer(size_hint=1)
    await writer.write(b"x")
    record = await store.objects.put(bucket, key, await writer.finish(), **fields)
    return record.version_id


async def rule(store: ObjectStore, *rules: LifecycleRule, bucket: str = "bucket") -> None:
    await store.buckets.set_setting(bucket, SETTING, render(rules).decode())


def names(store: ObjectStore, bucket: str = "bucket") -> list[tuple[str, bool]]:
    page = store.objects.list_versions(bucket)
    return [(version.key, version.record.delete_marker) for version in page.versions]


def test_objects_go_when_their_days_are_over(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await put(store, "old/a")
        await put(store, "kept")
        await rule(
            store,
            LifecycleRule(filter=Filter("old/"), expiration=Expiration(days=2)),
        )
        assert await store.lifecycle.apply() == 0
        clock.advance(2 * DAY_S)
        await put(store, "old/b")
        clock.advance(DAY_S)
        assert await store.lifecycle.apply() == 1
        assert names(store) == [("kept", False), ("old/b", False)]

    with_store(test)


def test_of_versions_the_current_one_gets_a_delete_marker(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        version_id = await put(store, "key")
        await rule(
            store,
            LifecycleRule(
                expiration=Expiration(days=1),
                noncurrent_expiration=NoncurrentExpiration(days=1),
            ),
        )
        clock.advance(2 * DAY_S)
        assert await store.lifecycle.apply() == 1
        assert names(store) == [("key", True), ("key", False)]
        store.objects.get("bucket", "key", version_id=version_id)
        clock.advance(2 * DAY_S)
        # The version goes; the marker, now alone, in the next round.
        assert await store.lifecycle.apply() == 1
        assert await store.lifecycle.apply() == 1
        assert names(store) == []

    with_store(test)


def test_more_versions_than_a_page_has(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        for _ in range(620):
            await put(store, "key")
        await put(store, "other")
        await rule(store, LifecycleRule(noncurrent_expiration=NoncurrentExpiration(days=1, keep=3)))
        clock.advance(3 * DAY_S)
        assert await store.lifecycle.apply() == 616
        assert names(store) == [("key", False)] * 4 + [("other", False)]

    with_store(test)


def test_a_lock_is_stronger_than_a_rule(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        await put(store, "key", "locked", lock=Lock(hold=True))
        await put(store, "key", "locked")
        await rule(
            store,
            LifecycleRule(noncurrent_expiration=NoncurrentExpiration(days=1)),
            bucket="locked",
        )
        clock.advance(3 * DAY_S)
        assert await store.lifecycle.apply() == 0
        assert len(names(store, "locked")) == 2

    with_store(test)


def test_what_was_written_again_meanwhile_stays(with_store, clock, monkeypatch) -> None:
    async def test(store: ObjectStore) -> None:
        await put(store, "key")
        await rule(store, LifecycleRule(expiration=Expiration(days=1)))
        clock.advance(3 * DAY_S)
        delete = store.objects.delete

        async def overtaken(*arguments, **options):
            await put(store, "key")
            return await delete(*arguments, **options)

        monkeypatch.setattr(store.objects, "delete", overtaken)
        assert await store.lifecycle.apply() == 0
        store.objects.get("bucket", "key")

    with_store(test)


def test_unfinished_uploads_are_aborted(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        resting = await store.uploads.create("bucket", "tmp/a")
        other = await store.uploads.create("bucket", "kept")
        await rule(store, LifecycleRule(filter=Filter("tmp/"), abort_days=1))
        clock.advance(2 * DAY_S)
        assert await store.lifecycle.apply() == 1
        with pytest.raises(NoSuchUploadError):
            store.uploads.get("bucket", "tmp/a", resting.upload_id)
        store.uploads.get("bucket", "kept", other.upload_id)

    with_store(test)


def test_buckets_without_rules_are_left_alone(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await put(store, "key")
        clock.advance(10_000 * DAY_S)
        assert await store.lifecycle.apply() == 0
        store.objects.get("bucket", "key")
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "other")

    with_store(test)
