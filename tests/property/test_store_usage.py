"""What is counted for a quota is what is there, whatever is done in whatever order."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ingot.store.errors import NoSuchUploadError, QuotaExceededError
from ingot.store.fences import Versioning
from ingot.store.manifest import CompletedPart
from ingot.store.store import ObjectStore
from ingot.store.usage import Usage
from ingot.testing.clock import FakeClock
from ingot.testing.stores import make_body, memory_store, put_bytes

KEYS = st.sampled_from(["a", "a/b", "ä\x01"])
NUMBERS = st.integers(min_value=0, max_value=9)
SIZES = st.sampled_from([0, 1, 7, 100, 40_000])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, SIZES),
        st.tuples(st.just("copy"), KEYS, KEYS),
        st.tuples(st.just("delete"), KEYS, st.none()),
        st.tuples(st.just("remove"), NUMBERS, NUMBERS),
        st.tuples(st.just("versioning"), st.booleans(), st.none()),
        st.tuples(st.just("create"), KEYS, st.none()),
        st.tuples(st.just("part"), NUMBERS, SIZES),
        st.tuples(st.just("complete"), NUMBERS, st.booleans()),
        st.tuples(st.just("abort"), NUMBERS, st.none()),
        st.tuples(st.just("quota"), st.sampled_from([100, 40_200, 1 << 40]), st.none()),
        st.tuples(st.just("clear"), st.none(), st.none()),
        st.tuples(st.just("restart"), st.none(), st.none()),
    ),
    max_size=30,
)


class Player:
    """Does the steps to the bucket of a store that `open_store` opens again and again."""

    def __init__(self, open_store):
        self.open_store = open_store
        self.store = open_store()
        self.uploads = []

    async def step(self, what, first, second):
        done = getattr(self, f"_{what}")
        with contextlib.suppress(QuotaExceededError):
            await done(first, second)

    async def _put(self, key, size_bytes):
        await put_bytes(self.store, "bucket", key, b"x" * size_bytes)

    async def _copy(self, source, target):
        if source in [item.key for item in self.store.objects.list("bucket").objects]:
            await self.store.objects.copy(
                self.store.objects.get("bucket", source), "bucket", target
            )

    async def _delete(self, key, _):
        await self.store.objects.delete_many("bucket", [key, "other"])

    async def _remove(self, first, count):
        wanted = {}
        versions = self.store.objects.list_versions("bucket").versions
        for version in versions[first : first + count]:
            wanted.setdefault(version.key, []).append(version.record.version_id)
        if wanted:
            await self.store.objects.delete_versions("bucket", wanted)

    async def _versioning(self, on, _):
        state = Versioning.ENABLED if on else Versioning.SUSPENDED
        await self.store.buckets.set_versioning("bucket", state)

    async def _create(self, key, _):
        upload = await self.store.uploads.create("bucket", key)
        self.uploads.append((key, upload.upload_id))

    async def _part(self, which, size_bytes):
        if self.uploads:
            key, upload_id = self.uploads[which % len(self.uploads)]
            body = await make_body(self.store, b"p" * size_bytes, inline_max=-1)
            with contextlib.suppress(NoSuchUploadError):
                number = 1 + which % 2
                await self.store.uploads.put_part("bucket", key, upload_id, number, body)

    async def _complete(self, which, last):
        with contextlib.suppress(NoSuchUploadError):
            if self.uploads:
                key, upload_id = self.uploads[which % len(self.uploads)]
                parts = self.store.uploads.list_parts("bucket", key, upload_id).parts
                if parts:
                    part = parts[-1 if last else 0]
                    wanted = [CompletedPart(part.number, part.etag, {})]
                    await self.store.uploads.complete("bucket", key, upload_id, wanted)

    async def _abort(self, which, _):
        with contextlib.suppress(NoSuchUploadError):
            if self.uploads:
                await self.store.uploads.abort("bucket", *self.uploads[which % len(self.uploads)])

    async def _quota(self, size_bytes, _):
        await self.store.quotas.set("bucket", size_bytes)

    async def _clear(self, *_):
        await self.store.quotas.clear("bucket")

    async def _restart(self, *_):
        self.store = self.open_store(self.store)

    def held(self):
        """Add up what the listings show."""
        sizes, markers = [], 0
        for version in self.store.objects.list_versions("bucket").versions:
            if version.record.delete_marker:
                markers += 1
            else:
                sizes.append(version.record.size_bytes)
        objects = len(self.store.objects.list("bucket").objects)
        parts = [
            part.size_bytes
            for upload in self.store.uploads.list("bucket").uploads
            for part in self.store.uploads.list_parts(
                "bucket", upload.key, upload.record.upload_id
            ).parts
        ]
        return Usage(sum(sizes) + sum(parts), objects, len(sizes), markers)


async def play(open_store, steps):
    player = Player(open_store)
    await player.store.buckets.create("bucket")
    before = Usage()
    for step in steps:
        await player.step(*step)
        held, limit = player.held(), player.store.quotas.get("bucket")
        assert player.store.quotas.usage("bucket") == (None if limit is None else held)
        if limit is not None and held.size_bytes > before.size_bytes:
            assert held.size_bytes <= limit
        before = held
    player.store.close()


@settings(max_examples=150)
@given(steps=STEPS)
def test_usage_in_memory(steps):
    asyncio.run(play(lambda store=None: store or memory_store(), steps))


@settings(max_examples=25)
@given(steps=STEPS)
def test_usage_on_disk_across_restarts(steps):
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as directory:

        def open_store(old=None):
            if old is not None:
                old.close()
            return ObjectStore.open(Path(directory) / "store", clock=clock)

        asyncio.run(play(open_store, steps))
