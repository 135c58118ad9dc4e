"""A real server whose writes are short: some go on, some come to where a file grows no further.

The kernel shortens a write that crosses the process's limit for the size of files, and fails the
next one with EFBIG, as a device does that breaks in the middle of a write.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = b"small" * 100
INLINE = os.urandom(20_000)
MEDIUM = os.urandom(100_000)
LARGE = os.urandom(3 << 20)
KEYS = {"small": SMALL, "medium": MEDIUM, "large": LARGE}

# Python imports this module when it starts; the server does not know of it. Every write of the
# server's own is cut to 1,000 bytes, which the kernel then really writes.
SHORT = """
import os
write, pwritev = os.write, os.pwritev
os.write = lambda descriptor, data: write(descriptor, memoryview(data)[:1000])
os.pwritev = lambda descriptor, pieces, offset, *flags: pwritev(
    descriptor, [memoryview(pieces[0])[:1000]], offset, *flags
)
"""


def fill(send: Any) -> None:
    assert send("PUT", "/bucket").status == 200
    for key, body in KEYS.items():
        assert send("PUT", f"/bucket/{key}", body).status == 200


def check_reads(send: Any) -> None:
    for key, body in KEYS.items():
        assert send("GET", f"/bucket/{key}").body == body


def limit_files(server: Any, size_bytes: int) -> None:
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


@pytest.fixture
def server(start_server: Callable[..., Any], tmp_path: Path) -> Any:
    return start_server(tmp_path / "data", workers=1)


def test_writes_that_are_cut_short_are_gone_on_with(
    start_server: Callable[..., Any], sender_of: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHORT)
    environment = {"PYTHONPATH": str(tmp_path)}
    server = start_server(tmp_path / "data", workers=1, environment=environment)
    send = sender_of(server)
    fill(send)
    check_reads(send)
    assert server.stop() == 0
    check_reads(sender_of(start_server(tmp_path / "data", workers=1)))


def test_a_blob_that_breaks_off_is_refused_and_leaves_nothing(
    server: Any, sender_of: Callable[..., Any]
) -> None:
    send = sender_of(server)
    fill(send)
    folder = server.data_dir / "blobs" / "data"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    limit_files(server, (2 << 20) + 123)

    for _ in range(3):
        answer = send("PUT", "/bucket/large", LARGE)
        assert (answer.status, answer.code) == (500, "InternalError")

    check_reads(send)
    assert send("PUT", "/bucket/new", SMALL).status == 200
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == files
    limit_files(server, resource.RLIM_INFINITY)
    assert send("PUT", "/bucket/large", LARGE[::-1]).status == 200
    assert send("GET", "/bucket/large").body == LARGE[::-1]


def test_a_catalog_whose_log_breaks_off_acknowledges_nothing(
    server: Any, sender_of: Callable[..., Any], start_server: Callable[..., Any]
) -> None:
    send = sender_of(server)
    fill(send)
    log = server.data_dir / "catalog" / "catalog.sqlite-wal"
    limit_files(server, log.stat().st_size + 6000)

    answer = send("PUT", "/bucket/small", INLINE)

    assert (answer.status, answer.code) == (503, "ServiceUnavailable")
    limit_files(server, resource.RLIM_INFINITY)
    assert send("PUT", "/bucket/other", SMALL).status == 503, "not even when the device is back"
    check_reads(send)
    assert "store.failed" in server.log()
    assert server.stop() == 0
    send = sender_of(start_server(server.data_dir, workers=1))
    check_reads(send)
    assert send("GET", "/bucket/other").code == "NoSuchKey"
    assert send("PUT", "/bucket/small", INLINE).status == 200
