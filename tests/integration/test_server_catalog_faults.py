"""A real server whose catalog's own system calls fail, once or for good.

The test rules each call that SQLite makes on the catalog's file, its log and its shared memory: it
fails, is cut short, or is a sync that loses what it was to keep (see `ruled_disk`). Clients write
and read meanwhile; then the server is killed and started again on a sound disk.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ingot.testing.ruled_disk import FOREVER, Fault, Ruler

DATABASE, LOG, INDEX = "catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"
TIMEOUT_S = 60.0
KEYS = [f"key-{number}" for number in range(6)]
# In the catalog, in its overflow pages, in a pack.
SIZES_BYTES = (300, 20_000, 30_000, 100_000)
STEPS = 40
# The log is emptied often, so that checkpoints meet the faults too; or so seldom that what SQLite
# knows of it needs a second piece of shared memory, which begins at 4,062 pages.
OFTEN_PAGES, SELDOM_PAGES = 40, 100_000
LONG_LOG_BYTES = 4300 * 4120
# Python imports this module when it starts; the server does not know of it.
ARM = """
import os, signal
import ingot.store.catalog.sqlite as catalog

def submit(*_):
    from ingot.testing import ruled_disk
    ruled_disk.submit(os.environ["RULER"])

catalog.CHECKPOINT_PAGES = int(os.environ["CHECKPOINT_PAGES"])
signal.signal(signal.SIGUSR1, submit)
if os.environ.get("SUBMIT_AT_START"):
    submit()
"""

# What a call comes to: errno, or how many bytes are transferred at most.
KINDS = {
    "EIO": {"number": errno.EIO},
    "ENOSPC": {"number": errno.ENOSPC},
    "ENOMEM": {"number": errno.ENOMEM},
    "nothing": {"bytes_max": 0},
    "short": {"bytes_max": 100},
    "lost": {"number": errno.EIO, "forgets": True},
}
MOMENTS = {
    "first": {"first": 1, "times": 1},
    "third": {"first": 3, "times": 1},
    "all": {"first": 1, "times": FOREVER},
}


class Outcome(NamedTuple):
    """What was seen while the disk failed.

    Attributes:
        hits: how many calls failed.
        writes: the statuses of writes, each once.
        reads: the statuses of reads, each once.
        poisoned: whether no write is taken any more, though the disk is sound again.
    """

    hits: int
    writes: set[int]
    reads: set[int]
    poisoned: bool


class Patient:
    """A server of one worker, what it certainly holds, and what it may hold instead."""

    def __init__(self, start_server, sender_of, folder: Path, ruler: Ruler):
        self.start_server, self.sender_of = start_server, sender_of
        self.folder, self.ruler = folder, ruler
        (folder / "sitecustomize.py").write_text(ARM)
        self.rng = random.Random(5)
        self.certain: dict[str, bytes | None] = dict.fromkeys(KEYS)
        self.possible: dict[str, list[bytes | None]] = {key: [] for key in KEYS}

    def environment(self, checkpoint_pages: int) -> dict[str, str]:
        path = [str(self.folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            "PYTHONPATH": os.pathsep.join(path),
            "RULER": self.ruler.address,
            "CHECKPOINT_PAGES": str(checkpoint_pages),
            "INGOT_SCRUB_RATE": "0",
        }

    def start(self, checkpoint_pages: int = OFTEN_PAGES) -> None:
        environment = self.environment(checkpoint_pages)
        self.server = self.start_server(self.folder / "data", workers=1, environment=environment)
        self.send = self.sender_of(self.server)

    def prepare(self, checkpoint_pages: int = OFTEN_PAGES) -> None:
        """Start with some objects, and let the test rule the calls."""
        self.start(checkpoint_pages)
        assert self.send("PUT", "/bucket").status == 200
        self.work(10)
        self.server.process.send_signal(signal.SIGUSR1)
        self.ruler.take(TIMEOUT_S)

    def put(self, key: str, sizes_bytes=SIZES_BYTES) -> int:
        return self.change("PUT", key, self.rng.randbytes(self.rng.choice(sizes_bytes)))

    def change(self, method: str, key: str, content: bytes | None) -> int:
        status = self.send(method, f"/bucket/{key}", content or b"").status
        self.send.close()
        self.send.connections.clear()
        if status < 300:
            self.certain[key], self.possible[key] = content, []
        else:
            assert status in {500, 503, 507}, status
            self.possible[key].append(content)
        return status

    def read(self, key: str) -> int:
        """Read a key: it holds what it may hold, or it is an error. What was seen stays."""
        answer = self.send("GET", f"/bucket/{key}")
        if answer.status in {200, 404}:
            content = answer.body if answer.status == 200 else None
            if content != self.certain[key]:
                assert content in self.possible[key], f"{key} holds what nobody may find there"
                self.certain[key] = content
                self.possible[key].remove(content)
        else:
            assert answer.status in {500, 503}, answer.status
        return answer.status

    def work(self, steps: int = STEPS) -> tuple[set[int], set[int]]:
        writes, reads = set(), set()
        for _ in range(steps):
            key = self.rng.choice(KEYS)
            if self.rng.random() < 0.8:
                writes.add(self.put(key))
            else:
                writes.add(self.change("DELETE", key, None))
            reads.add(self.read(self.rng.choice(KEYS)))
        return writes, reads

    def ready(self) -> int:
        try:
            return urllib.request.urlopen(
                f"{self.server.endpoint}/minio/health/ready", timeout=TIMEOUT_S
            ).status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def suffer(self, fault: Fault) -> Outcome:
        self.ruler.let(fault)
        writes, reads = self.work()
        return self.outcome(writes, reads)

    def outcome(self, writes: set[int], reads: set[int]) -> Outcome:
        """Let the disk be sound, and see what the fault left behind."""
        hits = self.ruler.hits
        self.ruler.let()
        after = self.put(KEYS[0])
        assert (after, self.ready()) in {(200, 200), (503, 503)}
        assert {self.read(key) for key in KEYS} <= {200, 404}, "reads go on"
        assert self.server.process.poll() is None
        assert "ended" not in self.server.log()
        assert ("store.failed" in self.server.log()) == (after == 503)
        return Outcome(hits, writes, reads, after == 503)

    def recover(self) -> None:
        """Kill the server, start it on a sound disk, and look at everything."""
        self.server.kill_hard()
        self.start()
        assert {self.read(key) for key in KEYS} <= {200, 404}
        assert self.put(KEYS[0]) == 200
        assert self.server.stop() == 0
        command = [sys.executable, "-m", "ingot", "server", "check", str(self.folder / "data")]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def patient(
    start_server: Callable[..., Any], sender_of: Callable[..., Any], tmp_path: Path
) -> Iterator[Patient]:
    with Ruler(tmp_path) as ruler:
        one = Patient(start_server, sender_of, tmp_path, ruler)
        yield one
        if one.server.process.poll() is None:
            one.server.kill_hard()


def is_poison(file: str, call: str, kind: str, moment: str) -> bool:
    """Tell whether a fault ends all acknowledgements; see docs/explanation/durability.md."""
    if kind in {"nothing", "short"} or (call, kind) == ("pwrite64", "ENOSPC"):
        return False  # the device is full, or only slow
    # The log keeps what the file did not take, until that goes on for too long.
    return file == LOG or moment == "all"


def endure(patient: Patient, file: str, call: str, kind: str, moment: str) -> None:
    patient.prepare()
    seen = patient.suffer(Fault(call, file, **KINDS[kind], **MOMENTS[moment]))
    assert seen.hits > 0
    if call == "pread64":
        assert kind == "short" or seen.reads & {500, 503}
        assert kind != "short" or not (seen.reads | seen.writes) & {500, 503}
    else:
        assert seen.reads <= {200, 404}
        assert seen.poisoned == is_poison(file, call, kind, moment)
        assert (503 in seen.writes) == seen.poisoned
        is_full = file == LOG and kind in {"ENOSPC", "nothing"} and not seen.poisoned
        assert (507 in seen.writes) == is_full
    patient.recover()


SMOKE = [
    (LOG, "pwrite64", "EIO", "third"),
    (LOG, "pwrite64", "ENOSPC", "first"),
    (LOG, "pwrite64", "short", "all"),
    (LOG, "fdatasync", "lost", "third"),
    (LOG, "pread64", "EIO", "all"),
    (DATABASE, "fdatasync", "lost", "first"),
    (DATABASE, "fdatasync", "EIO", "all"),
    (DATABASE, "pread64", "nothing", "first"),
]
GRID = [
    (file, call, kind, moment)
    for file in (DATABASE, LOG)
    for call, kinds in (
        ("pwrite64", ("EIO", "ENOSPC", "nothing", "short")),
        ("fdatasync", ("EIO", "ENOSPC", "lost")),
        ("pread64", ("EIO", "nothing", "short")),
        # SQLite cuts the file when it has emptied the log; the log itself it writes over.
        ("ftruncate", ("EIO",) if file == DATABASE else ()),
    )
    for kind in kinds
    for moment in MOMENTS
    if (file, call, kind, moment) not in SMOKE
]


@pytest.mark.parametrize(("file", "call", "kind", "moment"), SMOKE)
def test_the_catalog_endures_what_its_device_does(
    patient: Patient, file: str, call: str, kind: str, moment: str
) -> None:
    endure(patient, file, call, kind, moment)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "call", "kind", "moment"), GRID)
def test_the_catalog_endures_whatever_its_device_does(
    patient: Patient, file: str, call: str, kind: str, moment: str
) -> None:
    endure(patient, file, call, kind, moment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("call", "kind"),
    [("pwrite64", "EIO"), ("pwrite64", "ENOSPC"), ("pwrite64", "nothing"), ("mmap", "ENOMEM")],
)
@pytest.mark.parametrize("moment", ["first", "all"])
def test_the_catalog_endures_what_happens_to_its_shared_memory(
    patient: Patient, call: str, kind: str, moment: str
) -> None:
    patient.prepare(SELDOM_PAGES)
    patient.ruler.let(Fault(call, INDEX, **KINDS[kind], **MOMENTS[moment]))
    log = patient.server.data_dir / "catalog" / LOG
    while not patient.ruler.hits:
        patient.put(KEYS[0], (30_000,))
        assert log.stat().st_size < LONG_LOG_BYTES, "the shared memory grew before"
    seen = patient.outcome(*patient.work(6))
    assert seen.hits > 0
    assert seen.poisoned
    assert 503 in seen.writes
    patient.recover()


@pytest.mark.parametrize(
    ("file", "call", "kind"),
    [
        (DATABASE, "pread64", "EIO"),
        (LOG, "pread64", "EIO"),
        (LOG, "pread64", "nothing"),
        (INDEX, "pwrite64", "EIO"),
        (INDEX, "mmap", "ENOMEM"),
    ],
)
def test_a_catalog_that_cannot_be_opened_is_said_and_stays_as_it_is(
    patient: Patient, file: str, call: str, kind: str
) -> None:
    patient.start(SELDOM_PAGES)
    assert patient.send("PUT", "/bucket").status == 200
    patient.work(20)
    patient.server.kill_hard()
    patient.ruler.let(Fault(call, file, **KINDS[kind]))
    command = [sys.executable, "-m", "ingot", "server", str(patient.folder / "data")]
    addresses = ["--address", "127.0.0.1:0", "--console-address", "127.0.0.1:0", "--workers", "1"]
    environment = os.environ | patient.environment(SELDOM_PAGES) | {"SUBMIT_AT_START": "1"}
    with subprocess.Popen(
        [*command, *addresses], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        patient.ruler.take(TIMEOUT_S)
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "catalog.sqlite cannot be opened" in errors
    assert "Traceback" not in errors
    patient.ruler.let()
    patient.start()
    patient.recover()
