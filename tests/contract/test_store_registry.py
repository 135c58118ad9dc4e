"""Documents that are kept for others: changed together, by one at a time."""

from __future__ import annotations

import asyncio

import pytest

from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.errors import RecordDamagedError


def test_documents_are_kept_changed_and_dropped(with_store):
    async def test(store):
        registry = store.registry
        assert registry.read() == (b"", {})
        await registry.change(lambda before: {**before, "users/a\x01": b"1", "users/b": b"2"})
        first = registry.revision()
        assert registry.read() == (first, {"users/a\x01": b"1", "users/b": b"2"})
        await registry.change(lambda before: before)
        assert registry.revision() == first
        await registry.change(lambda before: {"users/b": b"3"})
        assert registry.revision() != first
        assert registry.read()[1] == {"users/b": b"3"}

    with_store(test)


def test_of_changes_at_once_none_is_lost(with_store):
    async def test(store):
        def count(before):
            return {**before, "count": b"%d" % (int(before.get("count", b"0")) + 1)}

        await asyncio.gather(*(store.registry.change(count) for _ in range(30)))
        assert store.registry.read()[1] == {"count": b"30"}

    with_store(test)


def test_an_edit_that_fails_changes_nothing(with_store):
    async def test(store):
        def fail(before):
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await store.registry.change(fail)
        assert store.registry.revision() == b""

    with_store(test)


def test_damage_is_noticed(with_store):
    async def test(store):
        await store.registry.change(lambda _: {"users/a": b"1"})
        key = keys.DOCUMENTS + b"users/a"
        await store._catalog.commit(keys.REGISTRY, puts=[Put(key, b"\0\0\0\x001")])
        with pytest.raises(RecordDamagedError):
            store.registry.read()

    with_store(test)
