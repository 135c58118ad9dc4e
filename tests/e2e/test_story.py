"""The story that must always work: build, boot, use, reboot, kill; nothing acknowledged is lost."""

import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(1500)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MACHINE = "story"
BOOT_TIMEOUT_S = 240
ADDRESS = "192.168.65.101"
FILES = 500


def test_the_whole_story(
    cli: Cli,
    environment: dict[str, str],
    store_image: Path,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"

    def boot() -> None:
        cli(
            *("run", store_image, "--name", MACHINE, "--ip", ADDRESS, "--disk", "size=4G"),
            *("--publish", f"{port}:9000", "--detach", "--wait"),
            timeout_s=BOOT_TIMEOUT_S,
        )

    boot()
    access_key, secret_key = _keys_on_the_console(cli)
    assert _keys_by_exec(cli) == (access_key, secret_key)
    cli("alias", "set", "s3", endpoint, stdin=f"{access_key}\n{secret_key}\n")
    cli("mb", "s3/downloads")

    source = tmp_path / "source"
    _make_files(source, FILES)
    cli("mirror", source, "s3/downloads", timeout_s=600)
    _watch_a_folder(cli, environment, source)
    _other_clients(environment, endpoint, access_key, secret_key)
    _pull_and_compare(cli, source, tmp_path / "pulled")

    cli("stop", MACHINE, timeout_s=90)
    boot()
    assert _keys_by_exec(cli) == (access_key, secret_key), "keys must outlive a reboot"
    _pull_and_compare(cli, source, tmp_path / "pulled-again")

    written = _kill_during_writes(cli, endpoint, access_key, secret_key)
    boot()
    s3 = _boto3(endpoint, access_key, secret_key)
    for key, digest in written.items():
        body = s3.get_object(Bucket="downloads", Key=key)["Body"].read()
        assert hashlib.sha256(body).hexdigest() == digest, f"{key} is not what was acknowledged"
    cli("stop", MACHINE, timeout_s=90)


def _keys_on_the_console(cli: Cli) -> tuple[str, str]:
    """Read the pair as a person would: from what the machine printed on its console."""
    text = cli("logs", MACHINE).stdout
    access = re.search(r"Access key:\s+(\S+)", text, re.IGNORECASE)
    secret = re.search(r"Secret key:\s+(\S+)", text, re.IGNORECASE)
    assert access, text[-4000:]
    assert secret, text[-4000:]
    return access[1], secret[1]


def _keys_by_exec(cli: Cli) -> tuple[str, str]:
    answer = cli("exec", MACHINE, "store", "ingot", "server", "keys", "--json").stdout
    document = json.loads(answer)
    return document["access_key"], document["secret_key"]


def _make_files(folder: Path, count: int) -> None:
    """Mixed files: empty, small, some of several MiB, nested, odd names."""
    rng = random.Random(20260424)
    folder.mkdir()
    for index in range(count):
        directory = folder / rng.choice(["", "photos", "photos/2026", "deep/er/and/deeper", "ünï"])
        directory.mkdir(parents=True, exist_ok=True)
        suffix = rng.choice([".txt", ".jpg", " with space", "+plus", "&and", "", "%41"])
        size = rng.choice([0, 1, 100, 4096, 32_768, 32_769, 70_000])
        if index % 100 == 0:
            size = rng.randrange(5 << 20, 20 << 20)
        (directory / f"file-{index:04d}{suffix}").write_bytes(rng.randbytes(size))


def _watch_a_folder(cli: Cli, environment: dict[str, str], source: Path) -> None:
    """`mirror --watch` carries over a file created, one changed and one removed."""
    watcher = subprocess.Popen(
        [
            *(sys.executable, "-m", "ingot", "mirror", "--watch", "--remove", "--overwrite"),
            *(str(source), "s3/downloads", "--json"),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        (source / "created.txt").write_text("made while watching")
        _eventually(lambda: _content(cli, "created.txt") == "made while watching")
        (source / "created.txt").write_text("changed while watching")
        _eventually(lambda: _content(cli, "created.txt") == "changed while watching")
        (source / "created.txt").unlink()
        _eventually(lambda: _content(cli, "created.txt") is None)
        (source / "stays.txt").write_text("and this one stays")
        _eventually(lambda: _content(cli, "stays.txt") == "and this one stays")
    finally:
        watcher.send_signal(signal.SIGINT)
        _, errors = watcher.communicate(timeout=30)
    assert watcher.returncode in (0, 130), errors


def _content(cli: Cli, key: str) -> str | None:
    result = cli("cat", f"s3/downloads/{key}", check=False)
    assert result.returncode in (0, 5), result.stderr
    return result.stdout if result.returncode == 0 else None


def _eventually(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def _boto3(endpoint: str, access_key: str, secret_key: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, connect_timeout=10),
    )


def _other_clients(
    environment: dict[str, str], endpoint: str, access_key: str, secret_key: str
) -> None:
    s3 = _boto3(endpoint, access_key, secret_key)
    s3.create_bucket(Bucket="others")
    s3.put_object(Bucket="others", Key="boto3.txt", Body=b"from boto3")
    variables = environment | {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    aws = [str(Path(sys.executable).parent / "aws"), "--endpoint-url", endpoint, "s3", "cp"]
    subprocess.run(
        [*aws, "-", "s3://others/aws.txt"],
        env=variables,
        input=b"from aws",
        check=True,
        timeout=120,
    )
    read = subprocess.run(
        [*aws, "s3://others/boto3.txt", "-"],
        env=variables,
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert read.stdout == b"from boto3"
    assert s3.get_object(Bucket="others", Key="aws.txt")["Body"].read() == b"from aws"


def _pull_and_compare(cli: Cli, source: Path, target: Path) -> None:
    target.mkdir()
    cli("mirror", "s3/downloads", target, timeout_s=600)
    assert _tree(target) == _tree(source)


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _kill_during_writes(
    cli: Cli, endpoint: str, access_key: str, secret_key: str
) -> dict[str, str]:
    """Kill QEMU in the middle of a stream of writes; return what was acknowledged by then."""
    written: dict[str, str] = {}
    enough = threading.Event()

    def write(worker: int) -> None:
        s3 = _boto3(endpoint, access_key, secret_key)
        rng = random.Random(worker)
        for index in range(100_000):
            body = rng.randbytes(rng.choice([10, 4096, 40_000, 1 << 20]))
            key = f"stream/{worker}/{index:06d}"
            try:
                s3.put_object(Bucket="downloads", Key=key, Body=body)
            except (BotoCoreError, ClientError):
                return
            written[key] = hashlib.sha256(body).hexdigest()
            if len(written) >= 60:
                enough.set()

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(timeout=180), "the machine took too few writes"
    machine = json.loads(cli("ps", "--json").stdout.splitlines()[0])
    assert machine["name"] == MACHINE
    os.kill(machine["pid"], signal.SIGKILL)
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    return written
