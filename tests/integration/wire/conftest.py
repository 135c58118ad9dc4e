"""A server that answers what a test tells it to, so that connections can fail on purpose."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ingot.base.retry import Backoff
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Transport

_ACCEPT_TIMEOUT_S = 0.02
_READ_TIMEOUT_S = 10
_TLS_HANDSHAKE = b"\x16"


@dataclass
class Received:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """Answers connections one after the other by the script; an empty answer closes at once.

    Every answer closes its connection, so each attempt of a client is one line of the script.
    """

    port: int = 0
    script: list[bytes] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self.port}"

    def answers(self, status: int, body: bytes = b"", *, cut: int = 0, **headers: Any) -> None:
        """Add an answer to the script, `cut` bytes short of its Content-Length."""
        rows = {"content-length": len(body), "connection": "close"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in rows.items())
        sent = body[: len(body) - cut]
        self.script.append(f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode() + sent)

    def refuses(self, status: int, code: str, fields: str = "", **headers: Any) -> None:
        """Add an S3 error to the script."""
        said = f"<Code>{code}</Code><Message>scripted</Message>{fields}"
        self.answers(status, f"<Error>{said}</Error>".encode(), **headers)

    def breaks(self) -> None:
        """Add a connection that closes without an answer."""
        self.script.append(b"")

    def serve(self, listener: socket.socket, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            with connection:
                connection.settimeout(_READ_TIMEOUT_S)
                if self.tls is None:
                    self._answer(connection)
                    continue
                # A client that does not trust us breaks off in the handshake.
                with (
                    contextlib.suppress(OSError),
                    self.tls.wrap_socket(connection, server_side=True) as secured,
                ):
                    self._answer(secured)

    def _answer(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            data += piece
            if not piece or data.startswith(_TLS_HANDSHAKE):
                return
        head, _, body = data.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (row.partition(":") for row in rest)}
        while len(body) < int(headers.get("content-length", "0")):
            piece = connection.recv(1 << 20)
            if not piece:
                return
            body += piece
        self.received.append(Received(line, headers, body))
        connection.sendall(self.script.pop(0) if self.script else b"")


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted server on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_ACCEPT_TIMEOUT_S)
        server = Scripted(port=listener.getsockname()[1])
        ended = threading.Event()
        thread = threading.Thread(target=server.serve, args=(listener, ended))
        thread.start()
        yield server
        ended.set()
        thread.join()


@pytest.fixture
def slept() -> list[float]:
    """What the transport would have slept, in seconds."""
    return []


@pytest.fixture
def transport(slept: list[float]) -> Iterator[Transport]:
    """A transport of three attempts that does not sleep."""
    options = TransportOptions(
        connect_timeout_s=5, read_timeout_s=5, backoff=Backoff(attempts=3), environment={}
    )
    with Transport(options, sleep=slept.append) as made:
        yield made


@pytest.fixture
def secured(scripted: Scripted, certificate: Path) -> Scripted:
    """The scripted server, behind TLS."""
    scripted.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    scripted.tls.load_cert_chain(certificate)
    return scripted
