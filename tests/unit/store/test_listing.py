"""A walk seeks past what a delimiter rolls up instead of reading it."""

from __future__ import annotations

import asyncio

from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.catalog.memory import MemoryCatalog
from ingot.store.listing import walk


class CountingCatalog(MemoryCatalog):
    """Counts what is read of it."""

    def __init__(self, names):
        super().__init__()
        self.rows = 0
        self.scans = 0
        puts = [Put(keys.object_key(name), b"value") for name in names]

        async def fill():
            await self.commit("p", puts=puts)

        asyncio.run(fill())

    def scan(self, partition, start, stop, *, limit, reverse=False):
        found = super().scan(partition, start, stop, limit=limit, reverse=reverse)
        self.rows += len(found)
        self.scans += 1
        return found


def list_names(catalog, *, prefix="", delimiter="", limit=1000):
    found = walk(
        catalog,
        "p",
        keys.OBJECTS,
        prefix=prefix,
        delimiter=delimiter,
        position=b"",
        limit=limit,
    )
    return sorted(found.columns()[0] + found.prefix_names(), key=str.encode), found.truncated


def test_a_large_folder_costs_two_reads():
    catalog = CountingCatalog([f"folder/{index:05d}" for index in range(20_000)] + ["z"])
    assert list_names(catalog, delimiter="/") == (["folder/", "z"], False)
    assert catalog.scans <= 3
    assert catalog.rows <= 100


def test_many_small_folders_are_read_in_batches():
    names = [f"{index:05d}/{item}" for index in range(1000) for item in "ab"]
    catalog = CountingCatalog(names)
    listed, truncated = list_names(catalog, delimiter="/")
    assert listed == [f"{index:05d}/" for index in range(1000)]
    assert not truncated
    assert catalog.scans < 1000 // 4


def test_large_folders_are_skipped_with_small_reads():
    names = [f"{index:03d}/{item:04d}" for index in range(50) for item in range(500)]
    catalog = CountingCatalog(names)
    listed, _ = list_names(catalog, delimiter="/")
    assert listed == [f"{index:03d}/" for index in range(50)]
    assert catalog.rows <= 64 + 16 + 50 * 8


def test_a_flat_page_is_read_at_once():
    catalog = CountingCatalog([f"{index:05d}" for index in range(5000)])
    listed, truncated = list_names(catalog)
    assert (len(listed), truncated) == (1000, True)
    assert (catalog.scans, catalog.rows) == (1, 1001)


def test_a_page_of_nothing_reads_nothing():
    catalog = CountingCatalog(["a"])
    assert list_names(catalog, limit=0) == ([], False)
    assert catalog.scans == 0
