"""PUT, GET and pages of listings in buckets of 10³ to 10⁶ keys: how their cost grows."""

import argparse
import asyncio
import gc
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ingot.s3.documents import listing as documents
from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.fences import Versioning
from ingot.store.records import SCHEMA, Attributes, ObjectRecord, encode
from ingot.store.store import ObjectStore

BUCKET = "bench"
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
    page: Callable[[ObjectStore, str], object]


def main(arguments: list[str]) -> None:
    """Print a table in Markdown; the directories are removed afterwards."""
    parser = argparse.ArgumentParser(prog="python -m bench listing", description=__doc__)
    parser.add_argument("--directory", help="where to make the stores' directories")
    parser.add_argument("--pages", type=int, default=60, help="how many pages per figure")
    parser.add_argument("--largest", action="store_true", help="a bucket of 10 million keys too")
    options = parser.parse_args(arguments)
    titles = " | ".join(workload.title for workload in WORKLOADS)
    print("CPU milliseconds of a page, median / worst; pages of objects are rendered as XML.")
    print(f"PUT: {PUTS} new keys at random places, {PUTS_AT_A_TIME} at a time, of all threads.\n")
    print(f"| keys | {titles} | PUT of 4 KiB |")
    print("|---" * (len(WORKLOADS) + 2) + "|")
    worst_ms = 0.0
    for count in (*SIZES, LARGEST) if options.largest else SIZES:
        with tempfile.TemporaryDirectory(dir=options.directory) as directory:
            cells, put_ms = asyncio.run(_measure(Path(directory), count, options.pages))
        worst_ms = max(worst_ms, *(high for _, high in cells))
        figures = " | ".join(f"{middle:.2f} / {high:.2f}" for middle, high in cells)
        print(f"| {count:,} | {figures} | {put_ms:.3f} |", flush=True)
    print(f"\nworst page: {worst_ms:.2f} ms (aim: {LIMIT_MS:g} ms)")


async def _measure(
    directory: Path, count: int, pages: int
) -> tuple[list[tuple[float, float]], float]:
    store = ObjectStore.open(directory)
    await store.buckets.create(BUCKET)
    await _fill(store, directory, count)
    put_ms = await _put_many(store, count)
    # From here on the bucket keeps versions, as the page of versions reads two spaces then.
    await store.buckets.set_versioning(BUCKET, Versioning.ENABLED)
    chosen = random.Random(count)
    gc.collect()
    gc.freeze()  # as the server does once it serves
    cells = []
    for workload in WORKLOADS:
        durations_ms = []
        for _ in range(pages):
            after = _key(chosen.randrange(count), count)
            # The thread's CPU time, not the wall's: a page waits for nothing but a processor, and
            # how long it waits says more about the machine's other work.
            started_s = time.thread_time()
            workload.page(store, after)
            durations_ms.append((time.thread_time() - started_s) * 1000)
        cells.append((statistics.median(durations_ms), max(durations_ms)))
    store.close()
    return cells, put_ms


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


async def _fill(store: ObjectStore, directory: Path, count: int) -> None:
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
    value = encode(record)
    partition = store.buckets.partition(BUCKET)
    catalog = SqliteCatalog(directory / "catalog")
    for first in range(0, count, KEYS_PER_COMMIT):
        indexes = range(first, min(first + KEYS_PER_COMMIT, count))
        puts = [Put(keys.object_key(_key(index, count)), value) for index in indexes]
        await catalog.commit(partition, puts=puts)
    catalog.close()


def _render(store: ObjectStore, *, prefix: str = "", delimiter: str = "", after: str = "") -> bytes:
    page = store.objects.list(
        BUCKET, prefix=prefix, delimiter=delimiter, after=after, limit=PAGE_KEYS
    )
    return documents.render_objects_v2(
        documents.ObjectListV2(
            bucket=BUCKET,
            prefix=prefix,
            delimiter=delimiter or None,
            max_keys=PAGE_KEYS,
            encoding_type="url",
            is_truncated=page.truncated,
            entries=[
                documents.Entry(
                    item.key,
                    item.record.modified_ns,
                    item.record.etag,
                    item.record.size_bytes,
                    item.storage_class,
                )
                for item in page.objects
            ],
            common_prefixes=page.prefixes,
        )
    )


WORKLOADS = (
    Workload("1,000 keys anywhere", lambda store, after: _render(store, after=after)),
    Workload("all keys in one prefix", lambda store, _: _render(store, delimiter="/")),
    Workload("1,000 prefixes", lambda store, _: _render(store, prefix="all/", delimiter="/")),
    Workload(
        "1,000 versions anywhere (not rendered)",
        lambda store, after: store.objects.list_versions(BUCKET, after_key=after),
    ),
    Workload("GET of one record", lambda store, after: store.objects.get(BUCKET, after)),
)
