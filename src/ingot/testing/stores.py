"""A whole object store in memory, for tests of what is built on one."""

from __future__ import annotations

import contextlib

from ingot.base.clock import Clock
from ingot.store.blobs.memory import MemoryBlobs
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.store import ObjectStore
from ingot.testing.clock import FakeClock


def memory_store(clock: Clock | None = None) -> ObjectStore:
    """Return an empty store that forgets everything when it is closed."""
    return ObjectStore(
        MemoryCatalog(),
        MemoryBlobs(),
        clock=clock or FakeClock(),
        maintenance_lock=lambda: contextlib.nullcontext(enter_result=True),
    )
