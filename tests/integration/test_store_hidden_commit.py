"""A writer dies after its commit is in the log and before anybody was told of it.

While another process has the catalog open, that commit is invisible; when the last process is
gone, SQLite finds it in the log and it comes into force. A sweep in between must not have decided
on its absence.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from ingot.store.store import ObjectStore
from ingot.testing import faulty_disk
from ingot.testing.stores import read_bytes

OLD = b"old" * 100_000

# Overwrites the object and is killed by the kernel inside the sync of the catalog's log.
WRITER = """
import asyncio, sys
from pathlib import Path
from ingot.store.store import ObjectStore
from ingot.testing import faulty_disk
from ingot.testing.stores import make_body

async def main():
    store = ObjectStore.open(Path(sys.argv[1]))
    body = await make_body(store, b"new" * 100_000)
    faulty_disk.die_at(sys.argv[2:])
    await store.objects.put("bucket", "key", body)

asyncio.run(main())
"""

# Lives on beside the writer, sweeps behind it, and dies too.
SWEEPER = """
import asyncio, os, signal, subprocess, sys
from pathlib import Path
from ingot.store.store import ObjectStore
from ingot.testing.stores import put_bytes

async def main():
    store = ObjectStore.open(Path(sys.argv[1]))
    await store.buckets.create("bucket")
    await put_bytes(store, "bucket", "key", b"old" * 100_000)
    writer = subprocess.run([sys.executable, "-c", sys.argv[2], sys.argv[1], *sys.argv[3:]])
    print(-writer.returncode, flush=True)
    print(await store.maintenance.sweep(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_a_sweep_settles_what_dead_writers_left_in_the_log(tmp_path):
    command = [sys.executable, "-c", SWEEPER, str(tmp_path), WRITER, *faulty_disk.SYNCS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.split() == [str(int(signal.SIGSYS)), "1"], "a dead writer, one orphan"

    async def read():
        store = ObjectStore.open(tmp_path)
        content = await read_bytes(store, "bucket", "key")
        store.close()
        return content

    assert asyncio.run(read()) == OLD
