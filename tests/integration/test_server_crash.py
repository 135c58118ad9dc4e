"""The server's processes are killed at random and at named points; every promise is kept.

A cycle starts `ingot server`, compares all it holds with the ledger of what earlier ones
acknowledged, lets clients write, overwrite, copy, delete and upload in parts, and kills the whole
family with SIGKILL: at a random moment, or after one of its workers died at a failpoint. Every
few cycles the directory is swept offline, also by sweepers that die at failpoints of their own;
after that each file of a blob must be named by a record.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from ingot.base import failpoints
from ingot.base.clock import SystemClock
from ingot.store import keys
from ingot.store.store import ObjectStore
from ingot.testing.ledger import Ledger, digest
from ingot.testing.workload import Workload, client_of, read_everything

BUCKET = "bucket"
CLIENTS = 5
SMOKE_CYCLES = 20
VERSIONS_CYCLES = 6
LONG_SHARDS = 10
LONG_CYCLES = 50
# How often a point may be passed before it kills: at least what the start of a server takes, at
# most about what the work of one cycle makes.
SERVER_POINTS = {
    "blob.written": (1, 20),
    "blob.sealed": (1, 20),
    "blob.cloned": (1, 3),
    "pack.written": (1, 20),
    "pack.sealed": (1, 20),
    "pack.punched": (1, 3),
    "blob.unlinked": (4, 6),
    "catalog.flushed": (6, 60),
    "catalog.committed": (6, 60),
    "object.put": (1, 20),
    "object.copied": (1, 3),
    "object.deleting": (1, 5),
    "object.deleted": (1, 5),
    "upload.completing": (1, 2),
    "upload.completed": (1, 2),
}
SWEEPER_POINTS = (
    *("blob.unlinked", "pack.punched", "garbage.deleted", "sweep.deleted"),
    "catalog.flushed",
)
KILLED = "ended with -9"
POINT_TIMEOUT_S = 5.0
ORPHAN_CHECK_EVERY = 4

# Collects all garbage and orphans of a directory that no server uses.
SWEEPER = """
import asyncio, sys
from pathlib import Path
from ingot.base.clock import SystemClock
from ingot.store.store import ObjectStore

class LaterClock(SystemClock):
    def now_ns(self):
        return super().now_ns() + 3600 * 10**9

async def main():
    store = ObjectStore.open(Path(sys.argv[1]), clock=LaterClock())
    await store.maintenance.sweep()
    await store.maintenance.collect()
    store.close()

asyncio.run(main())
"""


class Cycles:
    """A series of cycles on one directory."""

    def __init__(self, start_server, data_dir: Path, seed: int, *, versioned: bool):
        self.start_server = start_server
        self.data_dir = data_dir
        self.seed = seed
        self.versioned = versioned
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.deaths = Counter()
        self.versions = 0

    def run(self, count: int) -> None:
        points: list[str | None] = []
        for number in range(count):
            if not points:
                # Each point in turn, and about as many moments that nobody named.
                points = [*SERVER_POINTS, *[None] * (SMOKE_CYCLES - len(SERVER_POINTS))]
                self.rng.shuffle(points)
            point = points.pop()
            armed = f"{point}:{self.rng.randint(*SERVER_POINTS[point])}" if point else ""
            self.cycle(armed)
            if number % ORPHAN_CHECK_EVERY == ORPHAN_CHECK_EVERY - 1:
                self.sweep_and_die()
                self.check_orphans()
        server = self.start_server(self.data_dir)
        client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
        self.ledger.reconcile(read_everything(client, BUCKET))
        transport.close()
        assert server.stop() == 0
        self.check_orphans()

    def cycle(self, armed: str) -> None:
        server = self.start_server(self.data_dir, environment={failpoints.VARIABLE: armed})
        client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
        self.ledger.reconcile(read_everything(client, BUCKET))
        seed = self.rng.randrange(2**32)
        workload = Workload(client, BUCKET, self.ledger, seed=seed, count=CLIENTS)
        workload.start()
        if armed:
            self.deaths[armed.partition(":")[0] if self.died(server) else "missed"] += 1
        time.sleep(self.rng.uniform(0.0, 0.2) if armed else self.rng.uniform(0.1, 0.8))
        server.kill_hard()
        self.deaths["killed"] += 1
        workload.finish()
        transport.close()

    def died(self, server) -> bool:
        deadline = time.monotonic() + POINT_TIMEOUT_S
        while KILLED not in server.log():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    async def check_versions(self, store) -> None:
        """Read every version, find all that was ever acknowledged, and leave the latest ones."""
        found, older = set(), {}
        after = ("", "")
        truncated = True
        while truncated:
            page = store.objects.list_versions(
                BUCKET, after_key=after[0], after_version_id=after[1]
            )
            for version in page.versions:
                version_id = version.record.version_id
                if not version.record.delete_marker:
                    stored = store.objects.get(BUCKET, version.key, version_id=version_id)
                    pieces = [piece async for piece in store.objects.read(stored)]
                    found.add((version.key, digest(b"".join(pieces))))
                if not version.is_latest:
                    older.setdefault(version.key, []).append(version_id)
            after, truncated = (page.next_key, page.next_version_id), page.truncated
        lost = self.ledger.written - found
        assert lost == set(), "versions that were acknowledged"
        self.versions += len(found)
        await store.objects.delete_versions(BUCKET, older)
        self.ledger.written.clear()

    def sweep(self, armed: str) -> int:
        environment = os.environ | {failpoints.VARIABLE: armed}
        command = [sys.executable, "-c", SWEEPER, str(self.data_dir)]
        return subprocess.run(command, env=environment, check=False).returncode

    def sweep_and_die(self) -> None:
        point = self.rng.choice(SWEEPER_POINTS)
        if self.sweep(f"{point}:1"):
            self.deaths[f"sweeper {point}"] += 1

    def check_orphans(self) -> None:
        assert self.sweep("") == 0
        store = ObjectStore.open(self.data_dir, clock=SystemClock())
        for upload in store.uploads.list(BUCKET).uploads:
            asyncio.run(store.uploads.abort(BUCKET, upload.key, upload.record.upload_id))
        partition = store.buckets.partition(BUCKET)
        if self.versioned:
            asyncio.run(self.check_versions(store))
        _, unnamed = store.bodies.blobs.census(store.maintenance._referenced)
        parts = store._catalog.scan(partition, keys.PARTS, keys.behind_prefix(keys.PARTS), limit=1)
        store.close()
        assert unnamed == 0, "orphans after the sweep"
        assert parts == [], "parts without an upload"


def run_cycles(start_server, tmp_path, count, *, versioned):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}, versioned: {versioned}")
    server = start_server(tmp_path / "data")
    client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
    client.create_bucket(BUCKET)
    if versioned:
        client.put_bucket_versioning(BUCKET, "Enabled")
    transport.close()
    assert server.stop() == 0
    cycles = Cycles(start_server, tmp_path / "data", seed, versioned=versioned)
    try:
        cycles.run(count)
    finally:
        print(f"unanswered: {dict(cycles.ledger.fates)}")
        print(f"{cycles.ledger.acknowledgements} acknowledged, deaths: {dict(cycles.deaths)}")
        print(f"{cycles.versions} versions read")
    assert cycles.ledger.acknowledgements > count, "the clients did something"
    return cycles


def test_kills_lose_no_version(start_server, tmp_path):
    run_cycles(start_server, tmp_path, VERSIONS_CYCLES, versioned=True)


def test_twenty_kills_break_no_promise(start_server, tmp_path):
    cycles = run_cycles(start_server, tmp_path, SMOKE_CYCLES, versioned=False)
    assert cycles.deaths["killed"] == SMOKE_CYCLES
    assert len(set(cycles.deaths) & set(SERVER_POINTS)) > len(SERVER_POINTS) // 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shard", range(LONG_SHARDS))
def test_five_hundred_kills_break_no_promise(start_server, tmp_path, shard):
    cycles = run_cycles(start_server, tmp_path, LONG_CYCLES, versioned=shard % 2 == 1)
    assert set(cycles.deaths) >= set(SERVER_POINTS), "each point killed"
    kinds = {kind for kind, _ in cycles.ledger.fates}
    assert kinds >= {"put", "overwrite", "copy", "delete"}, "each operation was cut short"
