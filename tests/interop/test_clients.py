"""Clients that users have, unmodified, against a real server."""

from __future__ import annotations

import filecmp
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., str]
BIN = Path(sys.executable).parent
# Of one command, on a machine that has much else to do.
TIMEOUT_S = 300
LOG_LINES = 30


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with files of many sizes and awkward names."""
    rng = random.Random(7)
    root = tmp_path / "tree"
    sizes = [0, 1, 4096, 70_000, 9_000_000]
    names = ["plain", "with space & more", "ünïcode", "plus+sign", "dir/deep/er/file"]
    for name, size in zip(names, sizes, strict=True):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(size))
    return root


@pytest.fixture
def run(server: Any, tmp_path: Path) -> Run:
    """Run a client with the server's keys in its environment and nothing of the user's."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        # On a busy machine, behind an empty upload that was sent with `Expect: 100-continue`, this
        # client takes the next answer on that connection to begin with the headers: it parsed
        # "HTTP/1.1 200 OK" as one and missed the ETag. The bytes on the wire were right.
        "BOTO_EXPERIMENTAL__NO_EMPTY_CONTINUE": "true",
        "RCLONE_CONFIG_STORE_TYPE": "s3",
        "RCLONE_CONFIG_STORE_PROVIDER": "Minio",
        "RCLONE_CONFIG_STORE_ENV_AUTH": "true",
        "RCLONE_CONFIG_STORE_ENDPOINT": server.endpoint,
        "RESTIC_PASSWORD": "for-a-test",
    }

    def call(*command: str) -> str:
        begun_s = time.monotonic()
        try:
            done = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            told = f"{error.stdout!r}\n{error.stderr!r}"
            pytest.fail(f"{command} took more than {TIMEOUT_S} s\n{told}\n{state_of(server)}")
        if done.returncode != 0:
            took_s = time.monotonic() - begun_s
            ended = f"{command} ended with {done.returncode} after {took_s:.1f} s"
            pytest.fail(f"{ended}\n{done.stdout}\n{done.stderr}\n{state_of(server)}")
        return done.stdout

    return call


def state_of(server: Any) -> str:
    """Say what a failure of a client may come from: the server's end, its log, a busy machine."""
    lines = server.log().splitlines()[-LOG_LINES:]
    load = os.getloadavg()[0]
    return "\n".join([f"server: {server.process.poll()}, load: {load:.1f}", *lines])


@pytest.fixture
def name() -> str:
    return f"interop-{secrets.token_hex(6)}"


def assert_same(expected: Path, actual: Path) -> None:
    files = sorted(path.relative_to(expected) for path in expected.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(actual) for p in actual.rglob("*") if p.is_file())
    for file in files:
        assert filecmp.cmp(expected / file, actual / file, shallow=False), file


def test_aws_cli(run: Run, server: Any, tree: Path, tmp_path: Path, name: str) -> None:
    def aws(*arguments: str) -> str:
        return run("aws", "--endpoint-url", server.endpoint, *arguments)

    aws("s3", "mb", f"s3://{name}")
    aws("s3", "sync", str(tree), f"s3://{name}/tree")
    aws("s3", "cp", f"s3://{name}/tree/plain", f"s3://{name}/copy")
    aws("s3", "mv", f"s3://{name}/copy", f"s3://{name}/moved")
    aws("s3", "sync", f"s3://{name}/tree", str(tmp_path / "back"))
    assert_same(tree, tmp_path / "back")
    assert "dir/" in aws("s3", "ls", f"s3://{name}/tree/")
    again = aws("s3", "sync", str(tree), f"s3://{name}/tree")
    if again:
        # The client compares sizes and times.
        times = {str(path): path.stat().st_mtime for path in tree.rglob("*")}
        held = aws("s3api", "list-objects-v2", "--bucket", name)
        pytest.fail(f"sent again, though nothing changed: {again}\n{times}\n{held}")
    url = aws("s3", "presign", f"s3://{name}/tree/plus+sign").strip()
    assert url.startswith(server.endpoint)
    aws("s3", "rm", "--recursive", f"s3://{name}")
    aws("s3", "rb", f"s3://{name}")


def test_s3cmd(run: Run, server: Any, tree: Path, tmp_path: Path, name: str) -> None:
    def s3cmd(*arguments: str) -> str:
        host = f"127.0.0.1:{server.port}"
        return run(
            *("s3cmd", "--no-ssl", f"--host={host}", f"--host-bucket={host}"),
            *("--multipart-chunk-size-mb=5", *arguments),
        )

    s3cmd("mb", f"s3://{name}")
    s3cmd("put", "--recursive", f"{tree}/", f"s3://{name}/tree/")
    (tmp_path / "back").mkdir()
    s3cmd("get", "--recursive", f"s3://{name}/tree/", f"{tmp_path}/back/")
    assert_same(tree, tmp_path / "back")
    assert "plain" in s3cmd("ls", f"s3://{name}/tree/")
    s3cmd("cp", f"s3://{name}/tree/plain", f"s3://{name}/copy")
    assert "File size" in s3cmd("info", f"s3://{name}/copy")
    s3cmd("del", "--recursive", "--force", f"s3://{name}")
    s3cmd("rb", f"s3://{name}")


def test_rclone(run: Run, tree: Path, tmp_path: Path, name: str) -> None:
    target = f"store:{name}/tree"

    run("rclone", "mkdir", f"store:{name}")
    run("rclone", "copy", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M", str(tree), target)
    run("rclone", "check", "--download", str(tree), target)
    run("rclone", "copy", target, str(tmp_path / "back"))
    assert_same(tree, tmp_path / "back")
    run("rclone", "moveto", f"{target}/plain", f"{target}/moved")
    assert "moved" in run("rclone", "lsf", target)
    run("rclone", "purge", f"store:{name}")


def test_restic(run: Run, server: Any, tree: Path, tmp_path: Path, name: str) -> None:
    def restic(*arguments: str) -> str:
        return run("restic", "-r", f"s3:{server.endpoint}/{name}", *arguments)

    restic("init")
    restic("backup", str(tree))
    restic("check", "--read-data")
    restic("restore", "latest", "--target", str(tmp_path / "back"))
    assert_same(tree, tmp_path / "back" / tree.relative_to("/"))
    shutil.rmtree(tree / "dir")
    restic("backup", str(tree))
    restic("forget", "--keep-last", "1", "--prune")
    assert len(restic("snapshots", "--compact", "--quiet").splitlines()) > 0
