"""The server as a process: start, keys, locks, health, workers, stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TIMEOUT_S = 30.0


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def run_ingot(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("INGOT_", "MINIO_"))}
    return subprocess.run(
        [sys.executable, "-m", "ingot", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=env | variables,
        check=False,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/minio/health/live",
        "/minio/health/ready",
        "/minio/health/cluster",
        "/minio/health/cluster/read",
        "/health/live",
        "/health/ready",
    ],
)
def test_health_needs_no_key(server: Any, path: str) -> None:
    assert status_of(server.endpoint + path) == 200


def test_the_console_answers_on_its_own_port(server: Any) -> None:
    with urllib.request.urlopen(server.console + "/", timeout=10) as response:
        assert b"Ingot" in response.read()
    assert server.console != server.endpoint


def test_keys_are_generated_once_and_shown_only_when_asked(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    first = start_server(
        tmp_path / "data", workers=1, keys=False, environment={"INGOT_SHOW_KEYS": "1"}
    )
    new_client(first).create_bucket(Bucket="kept")
    assert first.stop() == 0
    printed = run_ingot("server", "keys", str(tmp_path / "data"), "--json")
    again = start_server(
        tmp_path / "data", workers=1, keys=False, environment={"INGOT_SHOW_KEYS": "1"}
    )

    assert (again.access_key, again.secret_key) == (first.access_key, first.secret_key)
    document = json.loads(printed.stdout)
    assert document["access_key"] == first.access_key
    assert document["secret_key"] == first.secret_key
    assert (tmp_path / "data" / "root-keys.json").stat().st_mode & 0o777 == 0o600
    assert [b["Name"] for b in new_client(again).list_buckets()["Buckets"]] == ["kept"]


def test_keys_are_not_printed_without_a_terminal(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_server(tmp_path / "data", workers=1, keys=False)
    printed = run_ingot("server", "keys", str(tmp_path / "data"))

    secret = printed.stdout.splitlines()[1].removeprefix("Secret key: ")
    assert len(secret) == 40
    assert running.secret_key != secret
    running.stop()
    assert running.process.stdout is not None
    assert secret not in running.log() + running.process.stdout.read()


def test_a_second_server_on_the_directory_is_refused(server: Any) -> None:
    result = run_ingot("server", str(server.data_dir), "--address", "127.0.0.1:0")

    assert result.returncode == 6
    assert "another server" in result.stderr
    assert "hint:" in result.stderr


def test_a_port_in_use_is_refused(server: Any, tmp_path: Path) -> None:
    result = run_ingot("server", str(tmp_path / "data"), "--address", f"127.0.0.1:{server.port}")

    assert result.returncode == 6
    assert "in use" in result.stderr


def test_half_a_key_pair_is_a_usage_error(tmp_path: Path) -> None:
    result = run_ingot("server", str(tmp_path / "data"), MINIO_ROOT_USER="someone")

    assert result.returncode == 2
    assert result.stderr.startswith("error: a root user is given")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_store_of_a_newer_version_is_refused_with_the_reason(
    tmp_path: Path, workers: str
) -> None:
    (tmp_path / "format.json").write_text(
        '{"format": "ingot-store", "version": 999, "deployment_id": "x"}'
    )

    result = run_ingot(
        *("server", str(tmp_path), "--workers", workers),
        *("--address", "127.0.0.1:0", "--console-address", "127.0.0.1:0"),
    )

    assert result.returncode != 0
    assert "has format 999" in result.stderr
    assert "Traceback" not in result.stderr


def test_one_worker_is_one_process(start_server: Callable[..., Any], tmp_path: Path) -> None:
    running = start_server(tmp_path / "data", workers=1)

    assert children(running.process.pid) == []


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_requests_in_flight_finish(
    start_server: Callable[..., Any],
    sender_of: Callable[..., Any],
    tmp_path: Path,
    workers: int,
    number: int,
) -> None:
    running = start_server(tmp_path / "data", workers=workers)
    sender = sender_of(running)
    assert sender("PUT", "/bucket").status == 200
    body = b"slow but sure"
    signed = sender.sign(
        "PUT",
        "/bucket/key",
        headers={"content-length": str(len(body))},
        payload_hash="UNSIGNED-PAYLOAD",
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
    with socket.create_connection(("127.0.0.1", running.port), timeout=TIMEOUT_S) as connection:
        connection.sendall(f"PUT /bucket/key HTTP/1.1\r\n{head}\r\n".encode() + body[:4])
        time.sleep(0.3)
        running.process.send_signal(number)
        time.sleep(0.3)
        assert running.process.poll() is None
        connection.sendall(body[4:])
        answer = connection.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200")
    assert running.process.wait(TIMEOUT_S) == 0


def test_a_stop_is_bounded_in_time(start_server: Callable[..., Any], tmp_path: Path) -> None:
    running = start_server(
        tmp_path / "data", workers=2, environment={"INGOT_STOP_TIMEOUT": "500ms"}
    )
    workers = children(running.process.pid)
    with socket.create_connection(("127.0.0.1", running.port), timeout=TIMEOUT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n")  # never finished
        time.sleep(0.2)
        started = time.monotonic()

        assert running.stop() == 0

    assert time.monotonic() - started < 10
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_workers_die_with_a_server_that_was_killed(
    start_server: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_server(tmp_path / "data", workers=2)
    workers = children(running.process.pid)
    assert len(workers) == 2

    running.process.kill()
    running.process.wait(TIMEOUT_S)

    wait_until(
        lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "orphaned workers"
    )
    # The lock is free again, so the next server may begin.
    start_server(tmp_path / "data", workers=1)


def test_a_worker_that_was_killed_is_replaced(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_server(tmp_path / "data", workers=2)
    new_client(running).create_bucket(Bucket="before")
    first, second = children(running.process.pid)

    os.kill(first, signal.SIGKILL)
    os.kill(second, signal.SIGKILL)

    wait_until(
        lambda: len(now := children(running.process.pid)) == 2 and not {first, second} & set(now),
        "no new workers",
    )

    def serves() -> bool:
        try:
            return status_of(running.console + "/") == status_of(running.endpoint + "/health/ready")
        except OSError:
            return False

    wait_until(serves, "the new workers do not serve")
    assert new_client(running).list_buckets()["Buckets"][0]["Name"] == "before"


def test_the_environment_alone_is_enough(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("INGOT_", "MINIO_"))}
    env |= {
        "INGOT_DATA_DIR": str(tmp_path / "data"),
        "MINIO_ADDRESS": "127.0.0.1:0",
        "MINIO_CONSOLE_ADDRESS": "127.0.0.1:0",
        "INGOT_WORKERS": "1",
        "INGOT_SHOW_KEYS": "1",
    }
    command = [sys.executable, "-m", "ingot.server"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0

    stored = json.loads((tmp_path / "data" / "root-keys.json").read_text())
    assert lines[0].startswith("S3 endpoint:  http://127.0.0.1:")
    assert lines[1] == f"Access key:   {stored['access_key']}\n"
    assert lines[2] == f"Secret key:   {stored['secret_key']}\n"
    assert lines[4].startswith("Try it:       ingot alias set store http://127.0.0.1:")


def test_the_environment_alone_gives_clear_errors() -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("INGOT_", "MINIO_"))}

    done = subprocess.run(
        [sys.executable, "-m", "ingot.server"],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("error: no data directory is given\nhint: ")


def test_the_access_log_has_a_line_per_request_and_no_secret(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_server(tmp_path / "data", "--access-log", "json", workers=1)
    client = new_client(running)
    client.create_bucket(Bucket="logged")
    client.put_object(Bucket="logged", Key="a key", Body=b"12345")
    url = client.generate_presigned_url("get_object", Params={"Bucket": "logged", "Key": "a key"})
    assert status_of(url) == 200
    assert status_of(running.endpoint + "/logged/secret") == 403
    running.stop()

    lines = [json.loads(line) for line in running.log().splitlines() if line.startswith("{")]
    assert [line["operation"] for line in lines] == [
        "CreateBucket",
        "PutObject",
        "GetObject",
        "GetObject",
    ]
    assert [line["status"] for line in lines] == [200, 200, 200, 403]
    assert lines[1]["received_bytes"] >= 5
    assert lines[1]["access_key"] == running.access_key
    assert lines[2]["sent_bytes"] == 5
    signature = url.rpartition("X-Amz-Signature=")[2].partition("&")[0]
    assert signature not in running.log()
    assert "X-Amz-Signature=REDACTED" in running.log()
    assert running.secret_key not in running.log()
