"""A real server on a disk that begins to fail: what it still answers, and what it never claims.

The kernel itself makes the system calls of the running server fail (see `faulty_disk`), so that
SQLite, the blobs and every thread meet the errors where a broken device raises them.
"""

from __future__ import annotations

import errno
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingot.testing import faulty_disk

SMALL = b"small" * 100
MEDIUM = os.urandom(100_000)
LARGE = os.urandom(3 << 20)
# Log lines are shorter, the pieces in which bodies reach the disk are longer.
BLOB_WRITE_BYTES_MIN = 8192
TIMEOUT_S = 30.0

# Python imports this module when it starts; the server does not know of it.
ARM = """
import signal

def arm(number, frame):
    from ingot.testing import faulty_disk
    faulty_disk.fail({calls!r}, {number}, bytes_min={bytes_min})

signal.signal(signal.SIGUSR1, arm)
"""


class FaultyServer:
    """A server of one worker whose disk fails on request."""

    def __init__(self, start_server, sender_of, tmp_path: Path):
        self.start_server = start_server
        self.sender_of = sender_of
        self.tmp_path = tmp_path

    def start(self, calls, number, *, bytes_min=0):
        arm = ARM.format(calls=list(calls), number=number, bytes_min=bytes_min)
        (self.tmp_path / "sitecustomize.py").write_text(arm)
        environment = {"PYTHONPATH": str(self.tmp_path)}
        self.server = self.start_server(self.tmp_path / "data", workers=1, environment=environment)
        self.send = self.sender_of(self.server)
        assert self.send("PUT", "/bucket").status == 200
        assert self.send("PUT", "/bucket/small", SMALL).status == 200
        assert self.send("PUT", "/bucket/large", LARGE).status == 200

    def break_disk(self):
        self.server.process.send_signal(signal.SIGUSR1)
        status = Path(f"/proc/{self.server.process.pid}/status")
        deadline = time.monotonic() + TIMEOUT_S
        while "Seccomp:\t2" not in status.read_text():
            assert time.monotonic() < deadline, "the filter is not in force"
            time.sleep(0.01)

    def put(self, key, content):
        answer = self.send("PUT", f"/bucket/{key}", content)
        return answer.status, answer.code

    def ready(self) -> int:
        try:
            return urllib.request.urlopen(
                f"{self.server.endpoint}/minio/health/ready", timeout=TIMEOUT_S
            ).status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def check_reads(self):
        assert self.send("GET", "/bucket/small").body == SMALL
        assert self.send("GET", "/bucket/large").body == LARGE
        assert self.send("HEAD", "/bucket/large").status == 200
        assert b"<Key>large</Key>" in self.send("GET", "/bucket").body

    def restart(self):
        """On a disk that works again, as after an operator's visit."""
        assert self.server.stop() == 0
        self.server = self.start_server(self.tmp_path / "data", workers=1)
        self.send = self.sender_of(self.server)


@pytest.fixture
def faulty(
    start_server: Callable[..., Any], sender_of: Callable[..., Any], tmp_path: Path
) -> FaultyServer:
    return FaultyServer(start_server, sender_of, tmp_path)


def blob_files(data_dir: Path) -> int:
    return sum(path.is_file() for path in (data_dir / "blobs" / "data").rglob("*"))


@pytest.mark.parametrize(
    ("calls", "content"),
    [
        pytest.param(faulty_disk.SYNCS, SMALL, id="sync-of-the-catalog"),
        pytest.param(faulty_disk.SYNCS, MEDIUM, id="sync-of-a-pack"),
        pytest.param(faulty_disk.SYNCS, LARGE, id="sync-of-a-blob"),
        pytest.param(faulty_disk.CATALOG_WRITES, SMALL, id="write-of-the-catalog"),
    ],
)
def test_after_an_io_error_nothing_is_acknowledged_and_reads_go_on(
    faulty: FaultyServer, calls: tuple[str, ...], content: bytes
) -> None:
    faulty.start(calls, errno.EIO)
    assert faulty.ready() == 200
    faulty.break_disk()

    assert faulty.put("new", content) == (503, "ServiceUnavailable")

    assert faulty.ready() == 503
    for key, body in (("small", SMALL), ("new", LARGE), ("small", LARGE)):
        assert faulty.put(key, body) == (503, "ServiceUnavailable")
    assert faulty.send("DELETE", "/bucket/small").status == 503
    faulty.check_reads()
    assert faulty.server.process.poll() is None
    assert "store.failed" in faulty.server.log()
    faulty.restart()
    assert faulty.ready() == 200
    faulty.check_reads()
    assert faulty.put("new", content) == (200, "")


def test_a_body_that_cannot_be_written_fails_alone(faulty: FaultyServer) -> None:
    faulty.start(faulty_disk.BLOB_WRITES, errno.EIO, bytes_min=BLOB_WRITE_BYTES_MIN)
    files = blob_files(faulty.server.data_dir)
    faulty.break_disk()

    assert faulty.put("new", LARGE) == (500, "InternalError")

    assert faulty.put("new", SMALL) == (200, "")
    assert faulty.ready() == 200
    faulty.check_reads()
    assert blob_files(faulty.server.data_dir) == files


def test_a_pack_that_cannot_be_written_fails_its_bodies_alone(faulty: FaultyServer) -> None:
    faulty.start(faulty_disk.PACK_WRITES, errno.EIO)
    assert faulty.put("medium", MEDIUM) == (200, "")
    faulty.break_disk()

    assert faulty.put("new", MEDIUM) == (500, "InternalError")

    assert faulty.put("new", SMALL) == (200, "")
    assert faulty.put("new", LARGE) == (200, "")
    assert faulty.ready() == 200
    assert faulty.send("GET", "/bucket/medium").body == MEDIUM
    faulty.restart()
    assert faulty.put("new", MEDIUM) == (200, "")
    assert faulty.send("GET", "/bucket/new").body == MEDIUM


def test_a_full_device_of_packs_is_said(faulty: FaultyServer) -> None:
    faulty.start(faulty_disk.PACK_WRITES, errno.ENOSPC)
    assert faulty.put("medium", MEDIUM) == (200, "")
    faulty.break_disk()

    for _ in range(3):
        assert faulty.put("new", MEDIUM) == (507, "XMinioStorageFull")

    assert faulty.put("new", SMALL) == (200, "")
    assert faulty.send("GET", "/bucket/medium").body == MEDIUM
    assert faulty.ready() == 200
    packs = faulty.server.data_dir / "blobs" / "packs"
    allocated_bytes = sum(pack.stat().st_blocks * 512 for pack in packs.iterdir())
    assert allocated_bytes < 2 * len(MEDIUM)


@pytest.mark.parametrize(("key", "content"), [("large", LARGE), ("medium", MEDIUM)])
def test_a_body_that_cannot_be_read_is_damage_and_the_rest_goes_on(
    faulty: FaultyServer, key: str, content: bytes
) -> None:
    faulty.start(faulty_disk.READS, errno.EIO, bytes_min=BLOB_WRITE_BYTES_MIN)
    assert faulty.put(key, content) == (200, "")
    faulty.break_disk()

    answer = faulty.send("GET", f"/bucket/{key}")

    assert (answer.status, answer.code) == (500, "InternalError")
    assert f"store.damaged path=b'/bucket/{key}'" in faulty.server.log()
    assert faulty.send("GET", "/bucket/small").body == SMALL
    assert faulty.send("HEAD", f"/bucket/{key}").status == 200
    assert faulty.put("new", content) == (200, "")
    assert faulty.ready() == 200
    faulty.restart()
    assert faulty.send("GET", f"/bucket/{key}").body == content


def test_a_full_device_of_blobs_is_said_and_leaves_nothing(faulty: FaultyServer) -> None:
    faulty.start(faulty_disk.BLOB_WRITES, errno.ENOSPC, bytes_min=BLOB_WRITE_BYTES_MIN)
    files = blob_files(faulty.server.data_dir)
    faulty.break_disk()

    for _ in range(3):
        assert faulty.put("new", LARGE) == (507, "XMinioStorageFull")

    assert faulty.put("new", SMALL) == (200, "")
    assert faulty.send("DELETE", "/bucket/small").status == 204
    assert faulty.send("GET", "/bucket/large").body == LARGE
    assert faulty.ready() == 200
    assert blob_files(faulty.server.data_dir) == files


def test_a_full_device_of_the_catalog_is_said_and_reads_go_on(faulty: FaultyServer) -> None:
    faulty.start(faulty_disk.CATALOG_WRITES, errno.ENOSPC)
    faulty.break_disk()

    for content in (SMALL, LARGE):
        assert faulty.put("small", content) == (507, "XMinioStorageFull")

    faulty.check_reads()
    assert faulty.ready() == 200
    faulty.restart()
    faulty.check_reads()
    assert faulty.put("small", LARGE) == (200, "")


def test_short_writes_are_written_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingot.store.blobs.files import FileBlobs
    from ingot.testing.blobs_contract import write_blob

    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:1000]))
    blobs = FileBlobs(tmp_path)
    ref = write_blob(blobs, LARGE)
    monkeypatch.undo()
    assert b"".join(blobs.read(ref)) == LARGE
    blobs.close()
