"""Requests signed ahead of time: the measured run spends nothing on signatures.

A signature stays good for 15 minutes, so a run must be shorter than that.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.load.connection import Request
from ingot.base.secret import Secret
from ingot.s3.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD, Credentials, sign_headers


class Target(NamedTuple):
    """Where and as whom requests are sent."""

    host: str
    port: int
    credentials: Credentials
    region: str

    @classmethod
    def of(cls, endpoint: str, access_key: str, secret_key: str, region: str) -> Target:
        """Read an `http://HOST:PORT` endpoint."""
        parts = urlsplit(endpoint)
        if parts.scheme != "http" or not parts.hostname:
            raise SystemExit(f"{endpoint} is no http:// endpoint")
        keys = Credentials(access_key, Secret(secret_key))
        return cls(parts.hostname, parts.port or 80, keys, region)

    def request(
        self, method: str, path: str, body: bytes = b"", *, sign_payload: bool = True
    ) -> Request:
        """Return one signed request; `path` needs no escaping."""
        if not sign_payload:
            payload_hash = UNSIGNED_PAYLOAD
        else:
            payload_hash = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        headers = {"host": f"{self.host}:{self.port}"}
        if method == "PUT":
            headers["content-length"] = str(len(body))
        signed = sign_headers(
            self.credentials,
            method=method,
            path=path,
            query=[],
            headers=headers,
            payload_hash=payload_hash,
            region=self.region,
            now_ns=time.time_ns(),
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.headers.items())
        head = f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()
        return Request(head, body, answer_has_body=method != "HEAD")


def endless(requests: list[Request]) -> Iterator[Request]:
    """Yield the requests in turn, for ever."""
    while True:
        yield from requests
