"""PUT, GET and pages of listings in buckets of 10³ to 10⁶ keys: how their cost grows.

Pages are asked for in a process of its own, whose SQLite caches know nothing of the bucket: its
first page is the one of 1,000 prefixes, which touches the most pages of the file. Another process
asks for it after the kernel let go of the file's pages.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ingot.s3.documents import listing as documents
from ingot.server.handlers.listing import object_columns
from ingot.server.process import memory
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.fences import Versioning
from ingot.store.records import SCHEMA, Attributes, ObjectRecord
from ingot.store.seals import seal_object
from ingot.store.store import ObjectStore

BUCKET = "bench"
# Has what warms the code up, which takes longer than a page; it shares nothing with the other.
SMALL_BUCKET = "small"
SMALL_COUNT = 5
FOLDERS = 1000
PAGE_KEYS = 1000
KEYS_PER_COMMIT = 5000
SIZES = (10**3, 10**4, 10**5, 10**6)
LARGEST = 10**7
LIMIT_MS = 10.0
PUTS = 2000
PUTS_AT_A_TIME = 32
BODY = bytes(4096)


class Workload(NamedTuple):
    """One kind of page, asked for at a random place of the bucket."""

    title: str
    page: Callable[[ObjectStore, str, str], object]


class Figures(NamedTuple):
    """What one process measured of one bucket; milliseconds.

    Attributes:
        first: of the first page of prefixes, CPU and elapsed.
        pages: of each workload the CPU of all pages.
    """

    first: tuple[float, float]
    pages: list[list[float]]


def main(arguments: list[str]) -> None:
    """Print a table in Markdown; the directories are removed afterwards."""
    parser = argparse.ArgumentParser(prog="python -m bench listing", description=__doc__)
    parser.add_argument("--directory", help="where to make the stores' directories")
    parser.add_argument("--pages", type=int, default=60, help="how many pages per figure")
    parser.add_argument("--largest", action="store_true", help="a bucket of 10 million keys too")
    parser.add_argument("--keys", type=int, help="only a bucket of so many keys")
    options = parser.parse_args(arguments)
    titles = " | ".join(workload.title for workload in WORKLOADS)
    print("CPU milliseconds of a page, median / worst; pages of objects are rendered as XML.")
    print("First: CPU of a new process's first page, of 1,000 prefixes; and CPU / elapsed if the")
    print("kernel has no page of the file either.")
    print(f"PUT: {PUTS} new keys at random places, {PUTS_AT_A_TIME} at a time, of all threads.\n")
    print(f"| keys | {titles} | first | first, from the device | PUT of 4 KiB |")
    print("|---" * (len(WORKLOADS) + 4) + "|")
    worst_ms = 0.0
    sizes = (*SIZES, LARGEST) if options.largest else SIZES
    for count in (options.keys,) if options.keys else sizes:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            put_ms = asyncio.run(_prepare(Path(directory), count))
            figures = _in_a_process(Path(directory), count, options.pages)
            _let_go(Path(directory) / "catalog" / "catalog.sqlite")
            cold_ms, cold_wall_ms = _in_a_process(Path(directory), count, 0).first
        worst_ms = max(worst_ms, figures.first[0], *map(max, figures.pages))
        cells = [f"{statistics.median(ms):.2f} / {max(ms):.2f}" for ms in figures.pages]
        cells += [f"{figures.first[0]:.2f}", f"{cold_ms:.2f} / {cold_wall_ms:.2f}"]
        print(f"| {count:,} | {' | '.join(cells)} | {put_ms:.3f} |", flush=True)
    print(f"\nworst page: {worst_ms:.2f} ms (aim: {LIMIT_MS:g} ms)")


async def _prepare(directory: Path, count: int) -> float:
    """Fill the bucket; return the CPU milliseconds of a PUT."""
    store = ObjectStore.open(directory)
    for bucket, keys_count in ((BUCKET, count), (SMALL_BUCKET, SMALL_COUNT)):
        await store.buckets.create(bucket)
        await _fill(store, directory, bucket, keys_count)
    put_ms = await _put_many(store, count)
    for bucket in (BUCKET, SMALL_BUCKET):
        # From here on they keep versions, as the page of versions reads two spaces then.
        await store.buckets.set_versioning(bucket, Versioning.ENABLED)
    store.close()
    return put_ms


def _in_a_process(directory: Path, count: int, pages: int) -> Figures:
    # Spawned, not forked: what this process has in memory would be there from the start.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (directory, count, pages))


def _let_go(path: Path) -> None:
    """Have the kernel forget the pages of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _measure(directory: Path, count: int, pages: int) -> Figures:
    memory.keep_freed_memory()
    store = ObjectStore.open(directory)
    chosen = random.Random(count)
    for workload in WORKLOADS:
        workload.page(store, SMALL_BUCKET, _key(0, SMALL_COUNT))
    gc.collect()
    memory.settle()  # as the server does once it serves
    started_s, began_s = time.perf_counter(), time.thread_time()
    PREFIXES.page(store, BUCKET, "")
    first = ((time.thread_time() - began_s) * 1000, (time.perf_counter() - started_s) * 1000)
    measured = []
    for workload in WORKLOADS if pages else ():
        durations_ms = []
        for _ in range(pages):
            after = _key(chosen.randrange(count), count)
            # The thread's CPU time, not the wall's: a page waits for nothing but a processor, and
            # how long it waits says more about the machine's other work.
            began_s = time.thread_time()
            workload.page(store, BUCKET, after)
            durations_ms.append((time.thread_time() - began_s) * 1000)
        measured.append(durations_ms)
    store.close()
    return Figures(first, measured)


async def _put_many(store: ObjectStore, count: int) -> float:
    """Return the CPU milliseconds of a durable PUT of a new key."""
    chosen = random.Random(-count)
    # Behind the key of a place that is chosen at random, so that the tree grows everywhere.
    names = iter([f"{_key(chosen.randrange(count), count)}+{number}" for number in range(PUTS)])

    async def put() -> None:
        for name in names:
            writer = store.bodies.writer(size_hint=len(BODY), sha256=True)
            await writer.write(BODY)
            await store.objects.put(BUCKET, name, await writer.finish())

    started_s = time.process_time()
    await asyncio.gather(*(put() for _ in range(PUTS_AT_A_TIME)))
    return (time.process_time() - started_s) / PUTS * 1000


def _key(index: int, count: int) -> str:
    return f"all/folder-{index * FOLDERS // count:03d}/{index:08d}"


async def _fill(store: ObjectStore, directory: Path, bucket: str, count: int) -> None:
    # Straight into the catalog: a million PUTs would take longer than everything else here.
    from ingot.store.catalog.sqlite import SqliteCatalog

    record = ObjectRecord(
        schema=SCHEMA,
        version_id="null",
        delete_marker=False,
        modified_ns=1_800_000_000 * 10**9,
        size_bytes=4096,
        etag="0" * 32,
        checksum_type="FULL_OBJECT",
        checksums={"CRC32": "AAAAAA=="},
        layout="inline",
        blob=None,
        part_count=0,
        upload_id="",
        attributes=Attributes({"content-type": "application/octet-stream"}),
    )
    partition = store.buckets.partition(bucket)
    catalog = SqliteCatalog(directory / "catalog")
    for first in range(0, count, KEYS_PER_COMMIT):
        indexes = range(first, min(first + KEYS_PER_COMMIT, count))
        names = [_key(index, count) for index in indexes]
        puts = [Put(keys.object_key(name), seal_object(name, record, None)) for name in names]
        await catalog.commit(partition, puts=puts)
    catalog.close()


def _render(
    store: ObjectStore, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = ""
) -> bytes:
    page = store.objects.list(
        bucket, prefix=prefix, delimiter=delimiter, after=after, limit=PAGE_KEYS
    )
    return documents.render_objects_v2(
        documents.ObjectListV2(
            bucket=bucket,
            prefix=prefix,
            delimiter=delimiter or None,
            max_keys=PAGE_KEYS,
            encoding_type="url",
            is_truncated=page.truncated,
            entries=(),
            common_prefixes=page.prefixes,
        ),
        object_columns(page, None),
    )


PREFIXES = Workload(
    "1,000 prefixes",
    lambda store, bucket, _: _render(store, bucket, prefix="all/", delimiter="/"),
)
WORKLOADS = (
    Workload(
        "1,000 keys anywhere", lambda store, bucket, after: _render(store, bucket, after=after)
    ),
    Workload(
        "all keys in one prefix", lambda store, bucket, _: _render(store, bucket, delimiter="/")
    ),
    PREFIXES,
    Workload(
        "1,000 versions anywhere (not rendered)",
        lambda store, bucket, after: store.objects.list_versions(bucket, after_key=after),
    ),
    Workload("GET of one record", lambda store, bucket, after: store.objects.get(bucket, after)),
)
