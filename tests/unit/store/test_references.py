"""A blob whose record moves while the sweep reads is not taken for an orphan."""

from __future__ import annotations

import asyncio
import contextlib

from ingot.store import keys
from ingot.store.blobs.memory import MemoryBlobs
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.fences import Versioning
from ingot.store.store import ObjectStore
from ingot.testing.clock import FakeClock
from ingot.testing.stores import put_bytes


class InterruptedCatalog(MemoryCatalog):
    """Calls `interrupt` once, right after the current objects of a bucket were read."""

    interrupt = None

    def scan(self, partition, start, stop, **options):
        rows = super().scan(partition, start, stop, **options)
        if start == keys.OBJECTS and self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
        return rows


def test_a_version_that_is_promoted_during_a_sweep_keeps_its_blob():
    async def test():
        catalog = InterruptedCatalog()
        store = ObjectStore(
            catalog,
            MemoryBlobs(),
            clock=FakeClock(),
            maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
        )
        await store.buckets.create("bucket")
        await store.buckets.set_versioning("bucket", Versioning.ENABLED)
        kept = await put_bytes(store, "bucket", "key", bytes(100_000))
        latest = await put_bytes(store, "bucket", "key", b"latest")
        promoting = store.objects.delete_versions("bucket", {"key": [latest.version_id]})

        def promote():
            # The memory catalog commits before it returns: the coroutine runs to its end.
            with contextlib.suppress(StopIteration):
                while True:
                    promoting.send(None)

        catalog.interrupt = promote
        referenced = set(store.maintenance._referenced())
        assert store.objects.get("bucket", "key").record.version_id == kept.version_id
        assert kept.blob.id in referenced
        store.close()

    asyncio.run(test())
