"""Object lock in the store, on each kind of engine."""

from __future__ import annotations

import asyncio

import pytest

from ingot.store.errors import (
    BucketLockedError,
    BucketUnlockableError,
    BucketUnversionedError,
    ObjectLockedError,
)
from ingot.store.fences import Versioning
from ingot.store.locks import COMPLIANCE, GOVERNANCE, Lock, LockRule
from ingot.store.manifest import CompletedPart
from ingot.store.records import ObjectRecord
from ingot.store.store import ObjectStore

DAY_NS = 24 * 3600 * 10**9


async def body_of(store: ObjectStore, data: bytes, *, inline_max: int | None = None):
    limits = {} if inline_max is None else {"inline_max": inline_max}
    writer = store.bodies.writer(size_hint=len(data), **limits)
    await writer.write(data)
    return await writer.finish()


async def put(store: ObjectStore, lock: Lock | None = None) -> ObjectRecord:
    return await store.objects.put("locked", "key", await body_of(store, b"x"), lock=lock)


def test_a_locked_version_stays_until_its_time(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        until_ns = clock.now_ns() + DAY_NS
        record = await put(store, Lock(COMPLIANCE, until_ns))
        wanted = {"key": [record.version_id]}
        with pytest.raises(ObjectLockedError):
            await store.objects.delete_versions("locked", wanted, bypass_governance=True)
        marker = await store.objects.delete("locked", "key")
        assert marker.delete_marker
        assert store.objects.get("locked", "key", version_id=record.version_id).record == record
        clock.advance(24 * 3600)
        await store.objects.delete_versions("locked", wanted)
        assert [v.record.delete_marker for v in store.objects.list_versions("locked").versions] == [
            True
        ]

    with_store(test)


def test_one_locked_version_keeps_all_that_go_with_it(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        free = await put(store)
        held = await put(store, Lock(hold=True))
        with pytest.raises(ObjectLockedError) as caught:
            await store.objects.delete_versions(
                "locked", {"key": [free.version_id, held.version_id]}
            )
        assert held.version_id == caught.value.version_id
        assert store.objects.get("locked", "key", version_id=free.version_id).record == free

    with_store(test)


def test_the_rule_of_the_bucket_holds_for_every_way_to_write(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        source = await store.objects.put("bucket", "source", await body_of(store, b"y"))
        await store.buckets.set_lock("locked", LockRule(GOVERNANCE, days=1))
        by_rule = await put(store)
        assert Lock(GOVERNANCE, by_rule.modified_ns + DAY_NS) == by_rule.lock
        own = Lock(COMPLIANCE, clock.now_ns() + 1)
        assert own == (await put(store, own)).lock
        copied = await store.objects.copy(store.objects.get("bucket", "source"), "locked", "copied")
        assert copied.lock is not None
        assert source.lock is None
        upload = await store.uploads.create("locked", "joined", lock=Lock(hold=True))
        part = await store.uploads.put_part(
            "locked", "joined", upload.upload_id, 1, await body_of(store, b"z", inline_max=-1)
        )
        joined = await store.uploads.complete(
            "locked", "joined", upload.upload_id, [CompletedPart(1, part.etag, {})]
        )
        assert joined.lock is not None
        assert (joined.lock.mode, joined.lock.hold) == (GOVERNANCE, True)

    with_store(test)


def test_a_copy_does_not_take_the_lock_of_its_source_along(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        await put(store, Lock(COMPLIANCE, clock.now_ns() + DAY_NS))
        copied = await store.objects.copy(store.objects.get("locked", "key"), "bucket", "copied")
        assert copied.lock is None

    with_store(test)


def test_a_lock_needs_a_bucket_that_has_it(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.objects.put("bucket", "key", await body_of(store, b"x"))
        with pytest.raises(BucketUnlockableError):
            await store.objects.put(
                "bucket", "key", await body_of(store, b"x"), lock=Lock(hold=True)
            )
        with pytest.raises(BucketUnlockableError):
            await store.uploads.create("bucket", "key", lock=Lock(hold=True))
        with pytest.raises(BucketUnlockableError):
            await store.annotations.set_legal_hold("bucket", "key", on=True)
        with pytest.raises(BucketUnlockableError):
            await store.annotations.set_retention("bucket", "key", GOVERNANCE, clock.now_ns() + 1)
        with pytest.raises(BucketUnversionedError):
            await store.buckets.set_lock("bucket", None)
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        await store.buckets.set_lock("bucket", None)
        held = await store.annotations.set_legal_hold("bucket", "key", on=True)
        assert Lock(hold=True) == held.lock

    with_store(test)


def test_the_versions_of_a_locked_bucket_are_kept_for_ever(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        await store.buckets.set_versioning("locked", Versioning.ENABLED)
        with pytest.raises(BucketLockedError):
            await store.buckets.set_versioning("locked", Versioning.SUSPENDED)
        assert store.buckets.rules("locked").lockable

    with_store(test)


def test_retention_changes_only_as_it_may(with_store, clock) -> None:
    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        until_ns = clock.now_ns() + DAY_NS
        await put(store, Lock(GOVERNANCE, until_ns, hold=True))
        change = store.annotations.set_retention
        with pytest.raises(ObjectLockedError):
            await change("locked", "key", GOVERNANCE, until_ns - 1)
        longer = await change("locked", "key", GOVERNANCE, until_ns + 1)
        assert Lock(GOVERNANCE, until_ns + 1, hold=True) == longer.lock
        freed = await change("locked", "key", "", 0, bypass_governance=True)
        assert Lock(hold=True) == freed.lock

    with_store(test)


def test_of_a_delete_and_a_hold_one_wins(with_store, clock) -> None:
    """Whoever commits first decides: a held version is there, a deleted one is not held."""

    async def test(store: ObjectStore) -> None:
        await store.buckets.create("locked", lockable=True)
        for _ in range(20):
            record = await put(store)
            wanted = {"key": [record.version_id]}
            removal, hold = await asyncio.gather(
                store.objects.delete_versions("locked", wanted),
                store.annotations.set_legal_hold(
                    "locked", "key", on=True, version_id=record.version_id
                ),
                return_exceptions=True,
            )
            assert isinstance(removal, Exception) != isinstance(hold, Exception), (removal, hold)

    with_store(test)
