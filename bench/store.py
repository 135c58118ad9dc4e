"""The store without HTTP: commits, small and large objects, listings; one process and two."""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvloop

from ingot.store import keys
from ingot.store.catalog.contract import Put
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.store.records import SCHEMA, Attributes, ObjectRecord, encode
from ingot.store.store import ObjectStore

ATTRIBUTES = Attributes({"content-type": "application/octet-stream"}, {})
BUCKET = "bench"
SMALL = os.urandom(4096)
CONCURRENCIES = (1, 32, 128)


def main(arguments: list[str]) -> None:
    """Print the figures as a Markdown table; the directory is removed afterwards."""
    parser = argparse.ArgumentParser(prog="python -m bench store", description=__doc__)
    parser.add_argument("--directory", help="where to make the store's directory")
    parser.add_argument("--duration", type=float, default=3.0, help="seconds per figure")
    parser.add_argument("--put-into", help="put small objects into this store and print the rate")
    parser.add_argument("--concurrency", type=int, default=128)
    options = parser.parse_args(arguments)
    if options.put_into:
        uvloop.run(_put_only(Path(options.put_into), options))
        return
    print("| what | figure | CPU µs each |")
    print("|---|---|---|")
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        uvloop.run(_measure(Path(directory), options.duration))
        _two_processes(directory, options.duration)


async def _measure(directory: Path, duration_s: float) -> None:
    store = ObjectStore.open(directory)
    await store.buckets.create(BUCKET)
    for concurrency in CONCURRENCIES:
        figures = await _repeat(lambda index: _put(store, index, SMALL), concurrency, duration_s)
        _row(f"PUT 4 KiB, {concurrency} at a time", *figures)
    names = [item.key for item in store.objects.list(BUCKET).objects]
    _row("GET 4 KiB", *_time(lambda index: store.objects.get(BUCKET, names[index % 1000])))
    _row("list 1,000 keys", *_time(lambda _: store.objects.list(BUCKET), count=100))
    await _fill_folder(store, directory, 100_000)
    _row(
        "list a common prefix of 100,000 keys",
        *_time(lambda _: store.objects.list(BUCKET, prefix="z", delimiter="/"), count=1000),
    )
    await _large(store, 512)
    body = os.urandom(65536)
    for concurrency in (1, 32):
        figures = await _repeat(lambda index: _put(store, index, body), concurrency, duration_s)
        _row(f"PUT 64 KiB, {concurrency} at a time", *figures)
    store.close()


async def _put_only(directory: Path, options: Any) -> None:
    store = ObjectStore.open(directory)
    rate, _ = await _repeat(
        lambda index: _put(store, index, SMALL), options.concurrency, options.duration
    )
    print(rate)
    store.close()


def _two_processes(directory: str, duration_s: float) -> None:
    for concurrency in CONCURRENCIES:
        command = [
            *(sys.executable, "-m", "bench", "store", "--put-into", directory),
            *("--duration", str(duration_s), "--concurrency", str(concurrency)),
        ]
        pair = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        rates = [float(process.communicate()[0].split()[-1]) for process in pair]
        what = f"PUT 4 KiB, 2 processes, {concurrency} each"
        print(f"| {what} | {rates[0]:,.0f}/s + {rates[1]:,.0f}/s | |")


async def _put(store: ObjectStore, index: int, content: bytes) -> None:
    writer = store.bodies.writer(size_hint=len(content), checksums=("CRC32",), sha256=True)
    await writer.write(content)
    body = await writer.finish()
    # Scattered over the keys' order, as names of real objects are.
    key = f"{index * 2654435761 % 2**32:08x}/{os.getpid()}"
    await store.objects.put(BUCKET, key, body, ATTRIBUTES)


async def _repeat(
    work: Callable[[int], Awaitable[None]], concurrency: int, duration_s: float
) -> tuple[float, float]:
    """Return how often per second the work was done, and the CPU seconds of one time."""
    done = 0
    stop = time.perf_counter() + duration_s

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() < stop:
            done += 1
            await work(done)

    with _stopwatch() as watch:
        await asyncio.gather(*(worker() for _ in range(concurrency)))
    return done / watch["wall_s"], watch["cpu_s"] / done


def _time(work: Callable[[int], object], *, count: int = 20_000) -> tuple[float, float]:
    with _stopwatch() as watch:
        for index in range(count):
            work(index)
    return count / watch["wall_s"], watch["cpu_s"] / count


async def _large(store: ObjectStore, mebibytes: int) -> None:
    chunk = os.urandom(256 * 1024)
    with _stopwatch() as watch:
        writer = store.bodies.writer(checksums=("CRC32",), sha256=True)
        for _ in range(4 * mebibytes):
            await writer.write(chunk)
        await store.objects.put(BUCKET, "large", await writer.finish(), ATTRIBUTES)
    _large_row("PUT", mebibytes, watch)
    with _stopwatch() as watch:
        async for _ in store.objects.read(store.objects.get(BUCKET, "large")):
            pass
    _large_row("GET", mebibytes, watch)


async def _fill_folder(store: ObjectStore, directory: Path, count: int) -> None:
    record = ObjectRecord(
        schema=SCHEMA,
        version_id="null",
        delete_marker=False,
        modified_ns=0,
        size_bytes=0,
        etag="0" * 32,
        checksum_type="",
        checksums={},
        layout="inline",
        blob=None,
        part_count=0,
        upload_id="",
        attributes=ATTRIBUTES,
    )
    value = encode(record)
    # Straight into the catalog: 100,000 PUTs would take longer than everything else here.
    catalog = SqliteCatalog(directory / "catalog")
    for first in range(0, count, 1000):
        names = (f"zz/{index:08}" for index in range(first, first + 1000))
        puts = [Put(keys.object_key(name), value) for name in names]
        await catalog.commit(store.buckets.partition(BUCKET), puts=puts)
    catalog.close()


@contextmanager
def _stopwatch() -> Any:
    watch: dict[str, float] = {}
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    yield watch
    watch["wall_s"] = time.perf_counter() - wall_s
    watch["cpu_s"] = time.process_time() - cpu_s


def _row(what: str, rate: float, cpu_s: float) -> None:
    print(f"| {what} | {rate:,.0f}/s | {cpu_s * 1e6:,.1f} |", flush=True)


def _large_row(what: str, mebibytes: int, watch: dict[str, float]) -> None:
    rate = mebibytes / watch["wall_s"]
    per_mib = watch["cpu_s"] / mebibytes * 1e6
    print(f"| {what} {mebibytes} MiB | {rate:,.0f} MiB/s | {per_mib:,.0f} per MiB |", flush=True)
