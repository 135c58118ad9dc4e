"""Writers are killed at random moments; what they had acknowledged is there, whole.

Each round starts two writers on one directory, kills both with SIGKILL, opens the store as the
next server would, and compares it with what the writers had reported on their pipes. After the
sweep every file of a blob must be named by a record.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
import sys
import time

import pytest

from ingot.store import keys
from ingot.store.errors import NoSuchKeyError
from ingot.store.store import ObjectStore

ROUNDS = 5
WRITERS = 2

# Writes, overwrites, deletes, copies and multipart uploads; reports an operation on standard
# output after it was acknowledged, and before it begins when it may be found half-way.
WRITER = """
import asyncio, hashlib, json, os, random, sys
from pathlib import Path
from ingot.store.manifest import CompletedPart
from ingot.store.store import ObjectStore
from ingot.testing.stores import make_body

name, seed = sys.argv[2], int(sys.argv[3])
rng = random.Random(seed)

def report(kind, key, content=None):
    digest = None if content is None else hashlib.sha256(content).hexdigest()
    os.write(1, (json.dumps([kind, key, digest]) + "\\n").encode())

async def write(store, key, content):
    report("begin", key, content)
    await store.objects.put("bucket", key, await make_body(store, content))
    report("done", key, content)

async def upload(store, key, content):
    report("begin", key, content)
    started = await store.uploads.create("bucket", key)
    parts = []
    for number, part in enumerate((content[:5 << 20], content[5 << 20:]), 1):
        body = await make_body(store, part, inline_max=-1)
        parts.append(await store.uploads.put_part("bucket", key, started.upload_id, number, body))
    await store.uploads.complete("bucket", key, started.upload_id, parts)
    report("done", key, content)

async def copy(store, source, key):
    stored = store.objects.get("bucket", source)
    content = b"".join([piece async for piece in store.objects.read(stored)])
    report("begin", key, content)
    await store.objects.copy(stored, "bucket", key)
    report("done", key, content)

async def delete(store, key):
    report("begin", key)
    await store.objects.delete("bucket", key)
    report("done", key)

async def worker(store, index):
    while True:
        key = f"{name}/{index}/{rng.randrange(6)}"
        choice = rng.random()
        if choice < 0.55:
            size = rng.choice([10, 4096, 32768, 32769, 100_000, 2_000_000])
            await write(store, key, rng.randbytes(size))
        elif choice < 0.65:
            await upload(store, key, rng.randbytes((5 << 20) + 10))
        elif choice < 0.85:
            await delete(store, key)
        else:
            page = store.objects.list("bucket", prefix=f"{name}/{index}/")
            if page.objects:
                await copy(store, page.objects[0].key, key)

async def main():
    store = ObjectStore.open(Path(sys.argv[1]), garbage_delay_s=0)
    maintenance = asyncio.create_task(store.maintenance.run())
    os.write(1, b'["ready", "", null]\\n')
    await asyncio.gather(*(worker(store, index) for index in range(6)), maintenance)

asyncio.run(main())
"""


class Expectation:
    """What the writers reported: per key the last acknowledged digest and what may be instead."""

    def __init__(self):
        self.acknowledged = {}
        self.possible = {}

    def take(self, line):
        kind, key, digest = json.loads(line)
        if kind == "begin":
            self.possible[key] = digest
        elif kind == "done":
            self.acknowledged[key] = digest
            del self.possible[key]

    def check(self, found):
        """Compare with the digests found, which are then what is acknowledged."""
        for key in self.acknowledged.keys() | self.possible.keys() | found.keys():
            allowed = {self.acknowledged.get(key)}
            if key in self.possible:
                allowed.add(self.possible[key])
            assert found.get(key) in allowed, key
        self.acknowledged = dict(found)
        self.possible = {}


def start_writer(root, name, seed):
    command = [sys.executable, "-c", WRITER, str(root), name, str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def complete_lines(output):
    # A report that the kill cut off was written after its acknowledgement, or before its begin.
    return output[: output.rfind(b"\n") + 1].splitlines()


async def read_everything(store):
    found = {}
    after, truncated = "", True
    while truncated:
        page = store.objects.list("bucket", after=after, limit=7)
        for item in page.objects:
            stored = store.objects.get("bucket", item.key)
            content = b"".join([piece async for piece in store.objects.read(stored)])
            assert len(content) == item.record.size_bytes
            found[item.key] = hashlib.sha256(content).hexdigest()
        after, truncated = page.next_after, page.truncated
    return found


async def inspect(root, expectation):
    store = ObjectStore.open(root, garbage_delay_s=0)
    await store.maintenance.sweep()
    await store.maintenance.collect()
    expectation.check(await read_everything(store))
    named = sorted(store.maintenance._referenced())
    assert store.bodies.blobs.census(lambda: iter(named)) == (len(named), 0)
    for upload in store.uploads.list("bucket").uploads:
        await store.uploads.abort("bucket", upload.key, upload.record.upload_id)
    partition = store.buckets.partition("bucket")
    assert store._catalog.scan(partition, keys.PARTS, b"q", limit=1) == []
    store.close()


async def create_bucket(root):
    store = ObjectStore.open(root)
    await store.buckets.create("bucket")
    store.close()


def test_what_was_acknowledged_survives_sigkill(tmp_path):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    root = tmp_path / "store"
    asyncio.run(create_bucket(root))
    expectation = Expectation()
    operations = 0
    for round_index in range(ROUNDS):
        writers = [
            start_writer(root, f"writer{index}", seed + round_index * WRITERS + index)
            for index in range(WRITERS)
        ]
        lines = [writer.stdout.readline() for writer in writers]
        time.sleep(rng.uniform(0.1, 0.8))
        for writer in writers:
            writer.kill()
        for writer in writers:
            output, _ = writer.communicate()
            for line in complete_lines(output):
                expectation.take(line)
                operations += 1
        assert all(b"ready" in line for line in lines)
        asyncio.run(inspect(root, expectation))
    print(f"{operations} reports")
    assert operations > ROUNDS * WRITERS, "the writers did something"


def test_a_killed_deletion_of_a_bucket_leaves_no_half_bucket(tmp_path):
    async def test():
        root = tmp_path / "store"
        await create_bucket(root)
        store = ObjectStore.open(root)
        # The first of the two commits of a deletion, then the process is gone.
        await store._catalog.commit(store.buckets.partition("bucket"), deletes=[keys.FENCE])
        store.close()
        store = ObjectStore.open(root)
        await store.buckets.create("bucket")
        with pytest.raises(NoSuchKeyError):
            store.objects.get("bucket", "key")
        store.close()

    asyncio.run(test())
