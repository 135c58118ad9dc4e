"""Real `ingot server` processes on free loopback ports, and boto3 clients for them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import hypothesis
import pytest

from ingot.cli._fields import matching
from ingot.cli.printer import Printer

# The same examples at each run, so that a failure is of the change and not of the day;
# `make test-all` looks for new ones. Nothing is timed: that would measure the machine's other work.
_UNTIMED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("repeatable", derandomize=True, **_UNTIMED)
hypothesis.settings.register_profile("explore", **_UNTIMED)
hypothesis.settings.load_profile("repeatable")

ACCESS_KEY = "integration-root"
SECRET_KEY = "integration-secret-key"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30

# A shell without job control starts what runs in its background with SIGINT ignored, and that is
# inherited; the commands that tests interrupt must see it as on a terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def documented_lines() -> Iterator[None]:
    """Hold every line that a command prints with --json against its documentation."""
    plain = Printer.data

    def data(printer: Printer, document: dict[str, Any], text: str | None) -> None:
        context = click.get_current_context(silent=True)
        if printer.as_json and context is not None:
            command = context.command_path.partition(" ")[2]
            assert matching(command, document), f"{command} prints what is not documented"
        plain(printer, document, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Printer, "data", data)
        yield


@dataclass
class ServerProcess:
    """A running server: where it answers, its keys, its directory and its process."""

    endpoint: str
    console: str
    access_key: str
    secret_key: str
    data_dir: Path
    process: subprocess.Popen[str]
    log_path: Path

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    def log(self) -> str:
        return self.log_path.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_TIMEOUT_S)

    def kill_hard(self) -> None:
        """SIGKILL the server and all its workers at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_TIMEOUT_S)
        # A worker that is still ending holds the directory's lock.
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while living(self.process.pid):
            assert time.monotonic() < deadline, "a killed worker lives on"
            time.sleep(0.005)


def living(group: int) -> list[int]:
    """Return the processes of a group that are not zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found


def launch(
    data_dir: Path,
    *options: str,
    workers: int = 2,
    environment: dict[str, str] | None = None,
    keys: bool = True,
    wrapper: Sequence[str] = (),
    log_path: Path | None = None,
) -> ServerProcess:
    """Start a server in a process group of its own and return once it serves.

    Args:
        data_dir: its directory.
        options: further options of the command.
        workers: how many processes serve.
        environment: variables beside the test's.
        keys: whether the root keys are given.
        wrapper: a command that ends by replacing itself with the server's.
        log_path: where its standard error goes; beside the directory by default.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith(("INGOT_", "MINIO_"))}
    if keys:
        env |= {"INGOT_ROOT_USER": ACCESS_KEY, "INGOT_ROOT_PASSWORD": SECRET_KEY}
    env |= environment or {}
    log_path = log_path or data_dir.with_name(f"{data_dir.name}.{secrets.token_hex(4)}.log")
    command = [
        *wrapper,
        *(sys.executable, "-m", "ingot", "server", str(data_dir), "--json"),
        *("--address", "127.0.0.1:0", "--console-address", "127.0.0.1:0"),
        *("--workers", str(workers), *options),
    ]
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, env=env, start_new_session=True
        )
    watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
    watchdog.start()
    assert process.stdout is not None
    line = process.stdout.readline()
    watchdog.cancel()
    if not line:
        code = process.wait(STOP_TIMEOUT_S)
        process.stdout.close()
        pytest.fail(f"the server ended with {code}:\n{log_path.read_text()}")
    started = json.loads(line)
    return ServerProcess(
        endpoint=started["endpoints"][0],
        console=started["console"][0],
        access_key=started.get("access_key", ACCESS_KEY),
        secret_key=started.get("secret_key", SECRET_KEY),
        data_dir=data_dir,
        process=process,
        log_path=log_path,
    )


def boto_client(server: ServerProcess, **config: Any) -> Any:
    """Return a boto3 S3 client with default checksums and no retries."""
    import boto3
    from botocore.config import Config

    s3 = {"addressing_style": "path", **config.pop("s3", {})}
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", retries={"total_max_attempts": 1}, s3=s3, **config),
    )


def end(server: ServerProcess) -> None:
    """Make sure that nothing of a server is left, whatever state a test left it in."""
    if server.process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.stop()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGKILL)
    server.process.wait(STOP_TIMEOUT_S)
    assert server.process.stdout is not None
    server.process.stdout.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., ServerProcess]]:
    """Return `launch`; what it starts ends with the test."""
    started: list[ServerProcess] = []

    def start(*arguments: Any, **options: Any) -> ServerProcess:
        started.append(launch(*arguments, **options))
        return started[-1]

    yield start
    for server in started:
        end(server)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that all tests of this process share: do not stop it; make buckets of your own."""
    running = launch(tmp_path_factory.mktemp("server") / "data", "--domain", "s3.test")
    yield running
    end(running)


@pytest.fixture(scope="session")
def s3(server: ServerProcess) -> Iterator[Any]:
    """A boto3 client of the shared server."""
    client = boto_client(server)
    yield client
    client.close()


@pytest.fixture
def new_client() -> Iterator[Callable[..., Any]]:
    """Return `boto_client`; what it makes is closed with the test."""
    made: list[Any] = []

    def make(server: ServerProcess, **config: Any) -> Any:
        made.append(boto_client(server, **config))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """A fresh bucket of the shared server."""
    name = f"test-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return name
