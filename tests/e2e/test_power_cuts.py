"""Power cuts at random moments: the next boot succeeds, with everything that was acknowledged."""

import json
import random
import secrets
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingot.base.errors import Error
from ingot.base.secret import Secret
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.transport.pool import Transport

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("machines"),
    pytest.mark.timeout(3600),
]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "cuts"
BOOT_TIMEOUT_S = 240
ROUNDS = 20
SECRET = "told-to-the-machine"
ENCRYPTED = """
data: {label: INGOT-DATA, path: /var/data, uid: 1000, gid: 1000, key: /run/config/disk-key}
"""


class Writer:
    """Puts objects one after another, in a thread; keeps those that the store acknowledged."""

    def __init__(self, port: int) -> None:
        self.acknowledged: dict[str, bytes] = {}
        self._endpoint = Endpoint.parse(f"http://127.0.0.1:{port}")
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._number = 0

    def client(self, transport: Transport) -> S3Client:
        credentials = Credentials("admin", Secret(SECRET))
        return S3Client(self._endpoint, credentials, transport=transport)

    def start(self) -> None:
        """Begin, and return when the store has acknowledged something."""
        self._ended.clear()
        before = len(self.acknowledged)
        self._thread = threading.Thread(target=self._write)
        self._thread.start()
        while len(self.acknowledged) == before:
            assert self._thread.is_alive(), "the store refused the first object"
            time.sleep(0.05)

    def end(self) -> None:
        assert self._thread is not None
        self._ended.set()
        self._thread.join()

    def check(self) -> None:
        """Read everything back that was ever acknowledged."""
        with Transport() as transport:
            client = self.client(transport)
            for key, body in self.acknowledged.items():
                with client.get_object("bucket", key) as stream:
                    assert b"".join(stream) == body, key

    def _write(self) -> None:
        with Transport() as transport:
            client = self.client(transport)
            while not self._ended.is_set():
                self._number += 1
                key = f"object-{self._number}"
                # Some live inside the catalog, some in files of their own.
                body = secrets.token_bytes(random.choice([100, 5000, 300_000]))
                try:
                    client.put_object("bucket", key, body)
                except Error:
                    return
                self.acknowledged[key] = body


def test_the_next_boot_succeeds_with_its_data(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    """Every other machine has an encrypted disk and a fixed address, the rest ask DHCP for one."""
    example = ROOT / "examples/store-keys.yml"
    (tmp_path / "encrypted.yml").write_text(ENCRYPTED)
    cli("build", example, "--dir", tmp_path, timeout_s=900)
    layered = ("build", example, tmp_path / "encrypted.yml", "--name", "encrypted")
    cli(*layered, "--dir", tmp_path, timeout_s=900)
    keys = {"root-user": {"content": "admin"}, "root-password": {"content": SECRET}}
    told = {"store": {"entries": keys}, "disk-key": {"content": SECRET}}
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # shown if the test fails
    moments = random.Random(seed)
    port = free_port()
    first = (
        *("--name", MACHINE, "--disk", "size=1G", "--data", json.dumps(told)),
        *("--publish", f"{port}:9000"),
    )
    kinds = (
        (tmp_path / "store-keys",),
        (tmp_path / "encrypted", "--ip", "10.0.2.77/24"),
    )
    writer = Writer(port)

    def boot(*arguments: str | Path) -> float:
        began_s = time.monotonic()
        cli(*(arguments or ("run", MACHINE)), "--wait", timeout_s=BOOT_TIMEOUT_S)
        return time.monotonic() - began_s

    boot_s = 0.0
    for number in range(ROUNDS):
        kind = ("first boot", "running", "shutdown")[number % 3]
        if kind == "first boot":
            if number:
                cli("stop", MACHINE)
                cli("rm-machine", "--yes", MACHINE)
            machine = kinds[number // 3 % 2]
            print(f"{number}: first boot of {machine[0].name}")
            cli("run", *machine, *first, "--detach")
            time.sleep(moments.uniform(0, boot_s or 15))
            cli("kill", MACHINE)
            boot_s = boot()
            writer.acknowledged.clear()
            with Transport() as transport:
                writer.client(transport).create_bucket("bucket")
            continue
        before = len(writer.acknowledged)
        writer.start()
        time.sleep(moments.uniform(0, 3))
        if kind == "running":
            cli("kill", MACHINE)
        else:
            stopping = threading.Thread(target=cli, args=("stop", MACHINE), kwargs={"check": False})
            stopping.start()
            time.sleep(moments.uniform(0, 3))
            cli("kill", MACHINE, check=False)
            stopping.join()
        writer.end()
        print(f"{number}: {kind}, {len(writer.acknowledged) - before} objects more")
        boot()
        writer.check()
    cli("stop", MACHINE)
    cli("rm-machine", "--yes", MACHINE)
