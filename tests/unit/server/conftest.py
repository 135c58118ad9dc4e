"""The whole application in one process: a store in memory, a fake clock, no sockets."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.iam.identities import Identity, root_identity
from ingot.s3.names import encode_path
from ingot.s3.sigv4 import Credentials, canonical_query, sign_headers
from ingot.server.access_log import Entry
from ingot.server.app import S3App
from ingot.server.identities import StoredIdentities
from ingot.server.request import Message
from ingot.server.service import Service
from ingot.store.blobs.memory import MemoryDevice
from ingot.testing.clock import FakeClock
from ingot.testing.stores import memory_store

ROOT = root_identity("root-key", Secret("root-secret"))
NOBODY = Identity("other-key", Secret("other-secret"), "other", is_root=False)


@dataclass
class Answer:
    """What came back; `status` is 0 when nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def code(self) -> str:
        match = re.search(rb"<Code>(\w+)</Code>", self.body)
        return match[1].decode() if match else ""


class InProcess:
    """An application and signed requests to it.

    Attributes:
        clock: the server's clock, and that of the requests' signatures.
        device: where the blobs are.
        log: the access log's entries.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.device = MemoryDevice()
        self.log: list[Entry] = []
        store = memory_store(self.clock, self.device)
        self.service = Service(
            store=store,
            identities=StoredIdentities([ROOT, NOBODY], store.registry, self.clock),
            region="",
            domains=(),
            clock=self.clock,
            access_log=self.log.append,
            host_id="host",
        )
        self.app = S3App(self.service)

    async def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        identity: Identity = ROOT,
        payload_hash: str | None = None,
        receive: Callable[[], Any] | None = None,
    ) -> Answer:
        """Send one signed request; `receive` replaces the connection's reading side."""
        length = {"content-length": str(len(body))} if method in {"PUT", "POST"} else {}
        signed = sign_headers(
            Credentials(identity.access_key, identity.secret_key),
            method=method,
            path=encode_path(path),
            query=query or [],
            headers={"host": "store"} | length | (headers or {}),
            payload_hash=payload_hash or hashlib.sha256(body).hexdigest(),
            region="us-east-1",
            now_ns=self.clock.now_ns(),
        )
        scope: dict[str, Any] = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "raw_path": encode_path(path).encode(),
            "query_string": canonical_query(query or []).encode(),
            "headers": [(n.encode(), v.encode()) for n, v in signed.headers.items()],
            "client": ("192.0.2.7", 4242),
        }
        return await self.send(scope, receive or messages(body))

    async def send(self, scope: dict[str, Any], receive: Callable[[], Any]) -> Answer:
        """Send a request as it is."""
        answer = Answer()

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {n.decode(): v.decode("latin-1") for n, v in message["headers"]}
            else:
                answer.body += message["body"]

        await self.app(scope, receive, send)
        return answer


def messages(*pieces: bytes, then: str = "http.request") -> Callable[[], Any]:
    """Return an ASGI `receive` that gives the pieces of a body, then its end or a disconnect."""
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        if then == "silence":
            await asyncio.Event().wait()
        return {"type": then, "body": b"", "more_body": False}

    return receive


@pytest.fixture
def in_process() -> Iterator[InProcess]:
    """Return a fresh application."""
    made = InProcess()
    yield made
    made.service.close()


@pytest.fixture
def body_of() -> Callable[..., Callable[[], Any]]:
    """Return `messages`."""
    return messages
