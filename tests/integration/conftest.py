"""Signed requests below boto3's level, for what well-behaved clients never send."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.s3.names import encode_path
from ingot.s3.sigv4 import Credentials, SignedRequest, sign_headers


@dataclass
class Answer:
    """An HTTP answer, read whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code in the body, or an empty string."""
        match = re.search(rb"<Code>(\w+)</Code>", self.body)
        return match[1].decode() if match else ""


@dataclass
class SignedSender:
    """Signs and sends single requests, each over a connection of its own."""

    server: Any
    skew_s: float = 0.0
    connections: list[http.client.HTTPConnection] = field(default_factory=list)

    def sign(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        payload_hash: str,
        host: str | None = None,
    ) -> SignedRequest:
        all_headers = {"host": host or f"127.0.0.1:{self.server.port}"} | (headers or {})
        return sign_headers(
            Credentials(self.server.access_key, Secret(self.server.secret_key)),
            method=method,
            path=encode_path(path),
            query=query or [],
            headers=all_headers,
            payload_hash=payload_hash,
            region="us-east-1",
            now_ns=time.time_ns() + int(self.skew_s * 1e9),
        )

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        payload_hash: str | None = None,
        unsigned_headers: dict[str, str] | None = None,
        host: str | None = None,
    ) -> Answer:
        """Send one request; `unsigned_headers` replace or join the signed ones."""
        if method in {"PUT", "POST"}:
            headers = {"content-length": str(len(body))} | (headers or {})
        signed = self.sign(
            method,
            path,
            query=query,
            headers=headers,
            payload_hash=payload_hash or hashlib.sha256(body).hexdigest(),
            host=host,
        )
        text = "&".join(f"{name}={value}" if value else name for name, value in query or [])
        target = encode_path(path) + (f"?{text}" if text else "")
        return self.send(method, target, signed.headers | (unsigned_headers or {}), body)

    def send(self, method: str, target: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Send a request exactly as given."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        self.connections.append(connection)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        data = response.read()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, data)

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


@pytest.fixture
def signed(server: Any) -> Iterator[SignedSender]:
    """Send signed requests to the shared server."""
    sender = SignedSender(server)
    yield sender
    sender.close()


@pytest.fixture
def sender_of() -> Iterator[Callable[..., SignedSender]]:
    """Make senders for any server, and with any clock."""
    made: list[SignedSender] = []

    def make(server: Any, **options: Any) -> SignedSender:
        made.append(SignedSender(server, **options))
        return made[-1]

    yield make
    for sender in made:
        sender.close()


OTHER_SERVICE = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
app = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, app, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextlib.contextmanager
def _service(log_path: Path, *arguments: str) -> Iterator[int]:
    """Run a Python program that prints the port it listens on."""
    with log_path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=Path(__file__).parents[2],
        )
    assert process.stdout is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    port = process.stdout.readline().strip()
    watchdog.cancel()
    try:
        assert port, log_path.read_text()
        yield int(port)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def other_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An independent S3 service with settings that ours may lack; it takes any keys."""
    with _service(tmp_path_factory.mktemp("other") / "log", "-c", OTHER_SERVICE) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def extended_service(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[str]:
    """Such a service behind TLS, with keys of customers, zip files and Parquet."""
    log_path = tmp_path_factory.mktemp("extended") / "log"
    program = ("-m", "tests.integration.extended_service", str(certificate))
    with _service(log_path, *program) as port:
        yield f"https://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate that signs itself, for 127.0.0.1."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=ingot-tests"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "-", "-out", "-"]
    made = subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path
