"""The object commands against a real server: in this process where that is enough, else outside."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest

from ingot.cli import main

DEADLINE_S = 60.0


@dataclass
class Result:
    """How a command ended."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode()

    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def error(self) -> dict[str, Any]:
        document = json.loads(self.err.splitlines()[-1])
        assert document["status"] == "error"
        error: dict[str, Any] = document["error"]
        return error


def _alias_url(server: Any, secret_key: str | None = None) -> str:
    secret = secret_key or server.secret_key
    return f"http://{server.access_key}:{secret}@127.0.0.1:{server.port}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with no aliases and no settings."""
    for name in os.environ:
        if name.startswith(("INGOT_", "MC_", "AWS_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("INGOT_CONFIG_DIR", str(folder / "config"))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def cli(home: Path, server: Any, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Any:
    """Run `ingot …` in this process; the alias `s3` is the shared server."""
    monkeypatch.setenv("MC_HOST_s3", _alias_url(server))

    def run(*arguments: str | Path) -> Result:
        capfdbinary.readouterr()
        code = main.run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Result(code, out, err.decode())

    return run


@dataclass
class Background:
    """A command that goes on by itself."""

    process: subprocess.Popen[str]
    log_path: Path

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until something outside holds, or fail with what the command said."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"{what}\n{self.log()}"
            time.sleep(0.05)

    def wait_for_text(self, text: str) -> None:
        """Wait until the command has said `text`."""
        self.wait_for(lambda: text in self.log(), f"it says {text!r}")

    def log(self) -> str:
        return self.log_path.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


@dataclass
class Starter:
    """Starts commands as processes; what still runs at the end is ended."""

    folder: Path
    started: list[Background] = field(default_factory=list)

    def __call__(self, *arguments: str | Path, **variables: str) -> Background:
        log_path = self.folder / f"command{len(self.started)}.log"
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ingot", *map(str, arguments)],
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | variables,
            )
        self.started.append(Background(process, log_path))
        return self.started[-1]


@pytest.fixture
def start(home: Path, tmp_path: Path) -> Iterator[Starter]:
    """Start `ingot …` as a process of its own."""
    starter = Starter(tmp_path)
    yield starter
    for background in starter.started:
        with contextlib.suppress(ProcessLookupError):
            background.process.kill()
        background.process.wait(DEADLINE_S)


class Files:
    """Makes and reads folders of this machine."""

    def fill(self, root: Path, count: int, seed: int = 1) -> None:
        """Write files of many sizes under names that are hard to sort."""
        rng = random.Random(seed)
        sizes = [0, 1, 100, 5000, 16_384, 16_385, 100_000, 1_048_577]
        segments = ["a", "a-b", "a.txt", "a b", "é", "\U0001f600", "~", "+", "%41", "x&y", "#", "0"]
        for index in range(count):
            folders = [f"d-{name}" for name in rng.choices(segments, k=rng.randrange(0, 3))]
            path = root.joinpath(*folders, f"{rng.choice(segments)}{index}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(rng.randbytes(rng.choices(sizes, [1, 1, 8, 6, 2, 2, 2, 1])[0]))

    def contents(self, root: Path) -> dict[str, bytes]:
        """Return every file below a folder, by relative name."""
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }


@dataclass
class Remote:
    """A fresh bucket, as boto3 sees it and as the commands call it."""

    s3: Any
    bucket: str
    alias: str = "s3"

    @property
    def address(self) -> str:
        return f"{self.alias}/{self.bucket}"

    def put(self, key: str, body: bytes = b"", **attributes: Any) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, **attributes)

    def put_parts(self, key: str, data: bytes, part_bytes: int, algorithm: str) -> None:
        """Upload in parts, as another client would cut and sum them up."""
        name = {"Bucket": self.bucket, "Key": key}
        started = self.s3.create_multipart_upload(**name, ChecksumAlgorithm=algorithm)
        name["UploadId"] = started["UploadId"]
        field_name = f"Checksum{algorithm}"
        parts = []
        for number, start in enumerate(range(0, len(data), part_bytes), 1):
            body = data[start : start + part_bytes]
            answer = self.s3.upload_part(
                **name, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm
            )
            part = {name: answer[name] for name in ("ETag", field_name)}
            parts.append({"PartNumber": number, **part})
        self.s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})

    def put_all(self, bodies: dict[str, bytes]) -> None:
        for key, body in bodies.items():
            self.put(key, body)

    def head(self, key: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.s3.head_object(Bucket=self.bucket, Key=key)
        return answer

    def delete(self, key: str) -> None:
        self.s3.delete_object(Bucket=self.bucket, Key=key)

    def uploads(self) -> list[Any]:
        answer = self.s3.list_multipart_uploads(Bucket=self.bucket)
        return list(answer.get("Uploads", []))

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Return every object below a prefix, by name relative to it."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        found = {}
        for key in keys:
            # A command that is still running may delete it between the two requests.
            with contextlib.suppress(self.s3.exceptions.NoSuchKey):
                body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"]
                found[key[len(prefix) :]] = body.read()
        return found


@pytest.fixture
def remote(
    home: Path, server: Any, s3: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> Remote:
    """A fresh bucket of the shared server, whose alias is `s3`."""
    monkeypatch.setenv("MC_HOST_s3", _alias_url(server))
    return Remote(s3, bucket)


@pytest.fixture
def elsewhere(home: Path, other_service: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    """A fresh bucket of an independent service with more settings, whose alias is `other`."""
    monkeypatch.setenv("MC_HOST_other", other_service.replace("://", "://any:thing@"))
    client = boto3.client(
        "s3",
        endpoint_url=other_service,
        aws_access_key_id="any",
        aws_secret_access_key="thing",
        region_name="us-east-1",
    )
    remote = Remote(client, f"elsewhere-{secrets.token_hex(6)}", "other")
    client.create_bucket(Bucket=remote.bucket)
    yield remote
    client.close()


@dataclass
class Outage:
    """A bucket of a server of one's own, which can be killed and comes back at the same port."""

    remote: Remote
    server: Any
    restarted: Callable[[], Any]

    def kill(self) -> None:
        self.server.kill_hard()

    def restart(self) -> None:
        self.server = self.restarted()


@pytest.fixture
def outage(
    home: Path,
    tmp_path: Path,
    start_server: Any,
    new_client: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Outage:
    """A bucket of a server of one's own, whose alias is `s3`."""
    server = start_server(tmp_path / "data", workers=1)
    monkeypatch.setenv("MC_HOST_s3", _alias_url(server))
    remote = Remote(new_client(server), "mirrored")
    remote.s3.create_bucket(Bucket=remote.bucket)
    address = f"127.0.0.1:{server.port}"
    return Outage(
        remote,
        server,
        lambda: start_server(tmp_path / "data", "--address", address, workers=1),
    )


@pytest.fixture
def files() -> Files:
    """Makes and reads folders of this machine."""
    return Files()


class BadLine:
    """Passes connections on to the server, slowly, and cuts each answer after some bytes."""

    def __init__(self, port: int, *, cut_after_bytes: int, pause_s: float = 0.0) -> None:
        self._target = ("127.0.0.1", port)
        self._cut_after_bytes = cut_after_bytes
        self._pause_s = pause_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cuts = 0
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            with (
                contextlib.suppress(ConnectionError),
                client,
                socket.create_connection(self._target) as server,
            ):
                self._pass_on(client, server)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        passed = 0
        while True:
            ready, _, _ = select.select([client, server], [], [], 30)
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                (server if one is client else client).sendall(data)
                passed += len(data) if one is server else 0
                time.sleep(self._pause_s)
            if passed > self._cut_after_bytes:
                self.cuts += 1
                return


@pytest.fixture
def bad_line(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., BadLine]]:
    """Reach the shared server over a bad line, as the alias `bad-line`."""
    lines: list[BadLine] = []

    def make(**options: Any) -> BadLine:
        lines.append(BadLine(server.port, **options))
        keys = f"{server.access_key}:{server.secret_key}"
        monkeypatch.setenv("MC_HOST_bad-line", f"http://{keys}@127.0.0.1:{lines[-1].port}")
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.fixture
def wrong_keys(server: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an alias of the shared server whose secret is wrong."""
    monkeypatch.setenv("MC_HOST_bad", _alias_url(server, "wrong-secret"))
    return "bad"
