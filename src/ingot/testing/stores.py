"""A whole object store in memory, and short ways to put bytes in and out of any store."""

from __future__ import annotations

import contextlib

from ingot.base.clock import Clock
from ingot.base.limits import INLINE_BYTES_MAX
from ingot.store.blobs.memory import MemoryBlobs, MemoryDevice
from ingot.store.bodies import Body
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.changes import Precondition
from ingot.store.records import ObjectRecord
from ingot.store.store import ObjectStore
from ingot.testing.clock import FakeClock

_STEP_BYTES = 256 * 1024


def memory_store(clock: Clock | None = None, device: MemoryDevice | None = None) -> ObjectStore:
    """Return an empty store that forgets everything when it is closed.

    Args:
        clock: a fake clock unless given.
        device: where the blobs are; for tests that look at or damage them.
    """
    return ObjectStore(
        MemoryCatalog(),
        MemoryBlobs(device),
        clock=clock or FakeClock(),
        maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
    )


async def make_body(
    store: ObjectStore,
    content: bytes,
    *,
    checksums: tuple[str, ...] = (),
    inline_max: int = INLINE_BYTES_MAX,
) -> Body:
    """Take content in as a server does."""
    writer = store.bodies.writer(
        size_hint=len(content), checksums=checksums, sha256=True, inline_max=inline_max
    )
    for offset in range(0, len(content), _STEP_BYTES):
        await writer.write(content[offset : offset + _STEP_BYTES])
    return await writer.finish()


async def put_bytes(
    store: ObjectStore,
    bucket: str,
    key: str,
    content: bytes,
    *,
    precondition: Precondition | None = None,
) -> ObjectRecord:
    """Store an object."""
    body = await make_body(store, content)
    return await store.objects.put(bucket, key, body, precondition=precondition)


async def read_bytes(
    store: ObjectStore, bucket: str, key: str, start: int = 0, length: int | None = None
) -> bytes:
    """Read an object, or a range of it."""
    stored = store.objects.get(bucket, key)
    return b"".join([piece async for piece in store.objects.read(stored, start, length)])
