"""The server's processes are killed at random and at named points; every promise is kept.

A cycle starts `ingot server`, compares all it holds with the ledger of what earlier ones
acknowledged, lets clients do every kind of write that S3 has while a lifecycle rule takes objects
and garbage is collected, and kills the whole family with SIGKILL: at a random moment, or after one
of its workers died at a failpoint. Every few cycles the directory is swept offline, also by
sweepers that die at failpoints of their own; after that each file of a blob must be named by a
record, and the check must find nothing.
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
from ingot.store.check import check_directory
from ingot.store.store import ObjectStore
from ingot.testing.deeds import BRIEF, Keeps, lifecycle_rules
from ingot.testing.ledger import Ledger
from ingot.testing.readback import SETTING, read_everything, setting
from ingot.testing.workload import Workload, client_of

BUCKET = "bucket"
QUOTA_BYTES = 1 << 50
CLIENTS = 5
SMOKE_CYCLES = 20
SMOKE_POINTS = 15
FEW_CYCLES = 4
LONG_SHARDS = 10
LONG_CYCLES = 50
# Moments that nobody named, beside each point once.
RANDOM_MOMENTS = 10
# How often a point may be passed before it kills: about what the work of one cycle makes.
SERVER_POINTS = {
    "blob.written": (1, 20),
    "blob.sealed": (1, 20),
    "blob.cloned": (1, 3),
    "pack.written": (1, 20),
    "pack.sealed": (1, 20),
    "pack.punched": (1, 3),
    "blob.unlinked": (1, 4),
    "catalog.flushed": (1, 60),
    "catalog.committed": (1, 60),
    "object.put": (1, 20),
    "object.copied": (1, 3),
    "object.deleting": (1, 8),
    "object.deleted": (1, 8),
    "object.annotated": (1, 5),
    "object.expired": (1, 3),
    "objects.deleted": (1, 3),
    "versions.removed": (1, 3),
    "upload.begun": (1, 4),
    "upload.part": (1, 5),
    "upload.aborted": (1, 1),
    "upload.completing": (1, 2),
    "upload.completed": (1, 2),
    "bucket.fenced": (1, 1),
    "bucket.created": (1, 1),
    "bucket.unfenced": (1, 1),
    "bucket.deleted": (1, 1),
    "bucket.ruled": (1, 1),
    "bucket.amended": (1, 4),
}
# Rules and collections run all the time, so that kills meet them.
ENVIRONMENT = {"INGOT_LIFECYCLE_INTERVAL": "250ms", "INGOT_GARBAGE_DELAY": "1s"}
SWEEPER_POINTS = (
    *("blob.unlinked", "pack.punched", "garbage.deleted", "sweep.deleted"),
    *("catalog.flushed", "quota.marked", "quota.counted"),
)
KILLED = "ended with -9"
POINT_TIMEOUT_S = 5.0
ORPHAN_CHECK_EVERY = 4

# Collects all garbage and orphans of a directory that no server uses, and counts anew what the
# bucket's quota is about.
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
    await store.quotas.clear(sys.argv[2])
    await store.quotas.set(sys.argv[2], 1 << 50)
    await store.maintenance.sweep()
    await store.maintenance.collect()
    store.close()

asyncio.run(main())
"""


class Cycles:
    """A series of cycles on one directory."""

    def __init__(self, start_server, data_dir: Path, seed: int, keeps: Keeps):
        self.start_server = start_server
        self.data_dir = data_dir
        self.seed = seed
        self.keeps = keeps
        self.rng = random.Random(seed)
        self.ledger = Ledger(lapsing=(BRIEF,), versioned=keeps >= Keeps.VERSIONS)
        self.deaths: Counter[str] = Counter()
        self.versions = 0

    def prepare(self) -> None:
        server = self.start_server(self.data_dir)
        client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
        client.create_bucket(BUCKET, with_lock=self.keeps is Keeps.LOCKS)
        if self.keeps is Keeps.VERSIONS:
            client.put_bucket_versioning(BUCKET, "Enabled")
        rules = lifecycle_rules("first")
        client.put_bucket_lifecycle_configuration(BUCKET, rules)
        self.ledger.begin(f"{SETTING}lifecycle", (setting(rules),), "setting")
        self.ledger.acknowledge(f"{SETTING}lifecycle")
        # What is counted for a quota has to be right after each kill: the check compares it.
        client.set_bucket_quota(BUCKET, QUOTA_BYTES)
        transport.close()
        assert server.stop() == 0
        assert self.sweep("") == 0

    def run(self, count: int, points: list[str | None]) -> None:
        left: list[str | None] = []
        for number in range(count):
            if not left:
                left = self.rng.sample(points, len(points))
            point = left.pop()
            armed = f"{point}:{self.rng.randint(*SERVER_POINTS[point])}" if point else ""
            if not self.cycle(armed):
                left.append(point)  # nobody came by often enough: again
            if number % ORPHAN_CHECK_EVERY == ORPHAN_CHECK_EVERY - 1:
                self.sweep_and_die()
                self.check_orphans()
        server = self.start_server(self.data_dir)
        client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
        self.compare(client)
        transport.close()
        assert server.stop() == 0
        self.check_orphans()

    def cycle(self, armed: str) -> bool:
        """Start, compare, work, kill; return whether the point that was armed killed, if any."""
        # What is read before the clients begin must not be cut short.
        gate = self.data_dir.with_name("gate")
        gate.unlink(missing_ok=True)
        points = {failpoints.VARIABLE: armed, failpoints.GATE_VARIABLE: str(gate)}
        environment = ENVIRONMENT | points
        server = self.start_server(self.data_dir, environment=environment)
        client, transport = client_of(server.endpoint, server.access_key, server.secret_key)
        self.compare(client)
        seed = self.rng.randrange(2**32)
        workload = Workload(client, BUCKET, self.ledger, seed=seed, count=CLIENTS, keeps=self.keeps)
        gate.touch()
        workload.start()
        hit = not armed or self.died(server)
        if armed:
            self.deaths[armed.partition(":")[0] if hit else f"missed {armed}"] += 1
        time.sleep(self.rng.uniform(0.0, 0.2) if armed else self.rng.uniform(0.1, 0.8))
        server.kill_hard()
        self.deaths["killed"] += 1
        workload.finish()
        transport.close()
        return hit

    def compare(self, client) -> None:
        found = read_everything(client, BUCKET, lapsing=(BRIEF,))
        self.ledger.reconcile(found)
        self.versions += sum(map(len, found.values()))

    def died(self, server) -> bool:
        deadline = time.monotonic() + POINT_TIMEOUT_S
        while KILLED not in server.log():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def sweep(self, armed: str) -> int:
        environment = os.environ | {failpoints.VARIABLE: armed}
        command = [sys.executable, "-c", SWEEPER, str(self.data_dir), BUCKET]
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
        _, unnamed = store.bodies.blobs.census(store.maintenance._referenced)
        parts = store._catalog.scan(partition, keys.PARTS, keys.behind_prefix(keys.PARTS), limit=1)
        store.close()
        assert unnamed == 0, "orphans after the sweep"
        assert parts == [], "parts without an upload"
        report = check_directory(self.data_dir, lambda _: None)
        assert (report.problems, report.unnamed_blobs) == ([], 0)
        store = ObjectStore.open(self.data_dir, clock=SystemClock())
        assert store.quotas.usage(BUCKET) is not None, "the quota is counted"
        store.close()


def run_cycles(start_server, tmp_path, count, *, keeps, named=None):
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}, keeps {keeps.name}")
    cycles = Cycles(start_server, tmp_path / "data", seed, keeps)
    cycles.prepare()
    if named is None:
        points = [*SERVER_POINTS, *[None] * RANDOM_MOMENTS]
    else:
        points = [*cycles.rng.sample(sorted(SERVER_POINTS), named), *[None] * (count - named)]
    try:
        cycles.run(count, points)
    finally:
        print(f"unanswered: {dict(cycles.ledger.fates)}")
        print(f"{cycles.ledger.acknowledgements} acknowledged, deaths: {dict(cycles.deaths)}")
        print(f"{cycles.versions} versions read, {cycles.ledger.lapsed} lapsed")
    assert cycles.ledger.acknowledgements > count, "the clients did something"
    return cycles


@pytest.mark.parametrize("keeps", [Keeps.VERSIONS, Keeps.LOCKS])
def test_kills_lose_no_version(start_server, tmp_path, keeps):
    run_cycles(start_server, tmp_path, FEW_CYCLES, keeps=keeps, named=FEW_CYCLES)


def test_twenty_kills_break_no_promise(start_server, tmp_path):
    cycles = run_cycles(
        start_server, tmp_path, SMOKE_CYCLES, keeps=Keeps.OBJECTS, named=SMOKE_POINTS
    )
    assert cycles.deaths["killed"] == SMOKE_CYCLES
    assert len(set(cycles.deaths) & set(SERVER_POINTS)) > SMOKE_POINTS // 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("shard", range(LONG_SHARDS))
def test_five_hundred_kills_break_no_promise(start_server, tmp_path, shard):
    keeps = Keeps(shard % len(Keeps))
    cycles = run_cycles(start_server, tmp_path, LONG_CYCLES, keeps=keeps)
    assert set(cycles.deaths) >= set(SERVER_POINTS), "each point killed"
    kinds = {kind for kind, _ in cycles.ledger.fates}
    assert kinds >= {"overwrite", "copy", "complete"}, "many operations were cut short"
    assert cycles.ledger.lapsed, "the lifecycle rule took something"
