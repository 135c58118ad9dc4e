"""A real server on a device that really fills up: clear errors, reads go on, room comes back.

The device is a file system in memory that only the server sees, in a mount namespace of its own.
"""

from __future__ import annotations

import os
import re
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
DEVICE_BYTES = 24 * MIB
TIMEOUT_S = 60.0
# No more than the device can hold, so that the test ends.
PUTS_MAX = 20_000


@pytest.fixture
def cramped(start_server: Callable[..., Any], tmp_path: Path) -> Any:
    """A server that alone uses a small device, and removes garbage at once."""
    mount = f'mount -t tmpfs -o size={DEVICE_BYTES} tmpfs "$0" && exec "$@"'
    (tmp_path / "device").mkdir()
    return start_server(
        tmp_path / "device" / "data",
        workers=1,
        environment={"INGOT_GARBAGE_DELAY": "0", "INGOT_METRICS_AUTH": "public"},
        wrapper=[
            *("unshare", "--user", "--map-root-user", "--mount"),
            *("sh", "-c", mount, str(tmp_path / "device")),
        ],
        log_path=tmp_path / "log",
    )


def free_bytes(server: Any) -> int:
    with urllib.request.urlopen(f"{server.endpoint}/metrics", timeout=TIMEOUT_S) as answer:
        found = re.search(rb"^ingot_disk_free_bytes (\d+)$", answer.read(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def fill(send: Any, prefix: str, size_bytes: int) -> dict[str, bytes]:
    """Put bodies until one is refused; return those that were taken."""
    held: dict[str, bytes] = {}
    for number in range(PUTS_MAX):
        body = os.urandom(size_bytes)
        answer = send("PUT", f"/bucket/{prefix}{number}", body)
        send.close()
        send.connections.clear()
        if answer.status != 200:
            assert (answer.status, answer.code) == (507, "XMinioStorageFull")
            assert b"no room left" in answer.body
            return held
        held[f"{prefix}{number}"] = body
    raise AssertionError("the device is not as small as it should be")


@pytest.mark.parametrize("size_bytes", [20_000, 100_000, 3 * MIB])
def test_a_full_device_is_said_and_recovers(
    cramped: Any, sender_of: Callable[..., Any], size_bytes: int
) -> None:
    send = sender_of(cramped)
    send("PUT", "/bucket")
    empty_bytes = free_bytes(cramped)
    held = fill(send, "key", size_bytes)
    assert sum(map(len, held.values())) > empty_bytes // 3, "most of the device was used"

    # Again and again refused, and nothing of it stays; everything else goes on.
    full_bytes = free_bytes(cramped)
    for _ in range(5):
        assert send("PUT", "/bucket/more", os.urandom(size_bytes)).status == 507
    assert free_bytes(cramped) > full_bytes - MIB
    for key, body in list(held.items())[:: max(1, len(held) // 20)]:
        assert send("GET", f"/bucket/{key}").body == body
        assert send("HEAD", f"/bucket/{key}").status == 200
    assert send("GET", "/bucket").status == 200
    with urllib.request.urlopen(f"{cramped.endpoint}/minio/health/ready") as answer:
        assert answer.status == 200

    for key in held:
        assert send("DELETE", f"/bucket/{key}").status == 204
        send.close()
        send.connections.clear()
    # All of the room comes back, whether it was the catalog's or that of bodies.
    deadline = time.monotonic() + TIMEOUT_S
    while free_bytes(cramped) < empty_bytes - 6 * MIB:
        assert time.monotonic() < deadline, "the room comes back"
        time.sleep(0.1)
    body = os.urandom(5 * MIB)
    while send("PUT", "/bucket/again", body).status != 200:
        assert time.monotonic() < deadline, "the room comes back"
        time.sleep(0.2)
    assert send("GET", "/bucket/again").body == body
    assert send("GET", "/bucket/key0").code == "NoSuchKey"
    assert "store.failed" not in cramped.log()
