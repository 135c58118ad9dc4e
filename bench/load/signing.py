"""Requests signed ahead of time: the measured run spends nothing on signatures.

A signature stays good for 15 minutes, so a run must be shorter than that.
"""

from __future__ import annotations

import hashlib
import os
import time
from typing import NamedTuple
from urllib.parse import urlsplit

from bench.load.connection import Request
from ingot.base.secret import Secret
from ingot.s3.sigv4 import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    Credentials,
    Query,
    canonical_query,
    sign_headers,
)


class Payload(NamedTuple):
    """A body that many requests share, and what stands for it in their signatures."""

    data: bytes
    sha256: str

    @classmethod
    def random(cls, size_bytes: int, *, signed: bool) -> Payload:
        """Make a body of random bytes."""
        data = os.urandom(size_bytes)
        return cls(data, hashlib.sha256(data).hexdigest() if signed else UNSIGNED_PAYLOAD)


NOTHING = Payload(b"", EMPTY_SHA256)


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

    def headers(
        self,
        method: str,
        path: str,
        payload: Payload,
        query: Query = (),
        *,
        length_bytes: int | None = None,
    ) -> dict[str, str]:
        """Return the headers of a signed request; `length_bytes` is of a body that comes later."""
        headers = {"host": f"{self.host}:{self.port}"}
        if method in {"PUT", "POST"}:
            length_bytes = len(payload.data) if length_bytes is None else length_bytes
            headers["content-length"] = str(length_bytes)
        return sign_headers(
            self.credentials,
            method=method,
            path=path,
            query=query,
            headers=headers,
            payload_hash=payload.sha256,
            region=self.region,
            now_ns=time.time_ns(),
        ).headers

    def request(
        self, method: str, path: str, payload: Payload = NOTHING, query: Query = ()
    ) -> Request:
        """Return one signed request; `path` needs no escaping."""
        signed = self.headers(method, path, payload, query)
        lines = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        head = f"{method} {address(path, query)} HTTP/1.1\r\n{lines}\r\n".encode()
        return Request(head, payload.data, answer_has_body=method != "HEAD")


def address(path: str, query: Query) -> str:
    """Return the target of a request line."""
    return f"{path}?{canonical_query(query)}" if query else path
