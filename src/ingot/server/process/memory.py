"""How a worker's allocator and collector are set up; measured with pages of listings."""

from __future__ import annotations

import gc

from ingot.base.units import KIB

# What glibc keeps of freed memory is twice the largest block that was mapped for itself and freed.
# A page of a listing takes 600 KiB, which cost a fifth of its time to get anew from the kernel.
_BLOCK_BYTES = 512 * KIB
_BLOCKS = 16  # more than there is room for in what was freed so far
# A page makes some thousand tuples, too; none of them is part of a cycle, and all are gone with the
# answer. Looking through them several times was 5 % of its time.
_YOUNG_OBJECTS = 5000
_YOUNGER_COLLECTIONS = 10  # before an older generation's; as Python has it


def keep_freed_memory() -> None:
    """Map blocks and free them; they are never touched."""
    blocks = [bytes(_BLOCK_BYTES) for _ in range(_BLOCKS)]
    del blocks


def settle() -> None:
    """Take what exists now for lasting: collections need not walk it again and again."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _YOUNGER_COLLECTIONS, _YOUNGER_COLLECTIONS)
