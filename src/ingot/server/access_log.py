"""One line per request on standard error, when asked for; never a secret in it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from typing import NamedTuple, Protocol

# What proves a presigned request: whoever reads the log must not be able to replay it.
_SIGNATURE = re.compile(r"((?:^|&)x-amz-(?:signature|security-token)=)[^&]*", re.IGNORECASE)


class Entry(NamedTuple):
    """What is known of one request once it is answered."""

    method: str
    raw_path: str
    query: str
    status: int
    sent_bytes: int
    received_bytes: int
    duration_s: float
    request_id: str
    operation: str | None
    access_key: str | None
    remote: str


class AccessLog(Protocol):
    """Where entries go."""

    def __call__(self, entry: Entry) -> None:
        """Write one entry."""
        ...


def access_log(style: str) -> AccessLog | None:
    """Return the writer for `json` or `text`; None for `off`."""
    return {"json": _write_json, "text": _write_text, "off": None}[style]


def redacted(query: str) -> str:
    """Return the query string without the signature and session token of a presigned URL."""
    return _SIGNATURE.sub(r"\1REDACTED", query)


def render_json(entry: Entry, time_s: float) -> str:
    """Return the entry as one JSON object."""
    path = f"{entry.raw_path}?{redacted(entry.query)}" if entry.query else entry.raw_path
    return json.dumps(
        {
            "time": _timestamp(time_s),
            "request_id": entry.request_id,
            "remote": entry.remote,
            "access_key": entry.access_key,
            "method": entry.method,
            "path": path,
            "operation": entry.operation,
            "status": entry.status,
            "sent_bytes": entry.sent_bytes,
            "received_bytes": entry.received_bytes,
            "duration_ms": round(entry.duration_s * 1000, 3),
        }
    )


def render_text(entry: Entry, time_s: float) -> str:
    """Return the entry as one line for people."""
    path = f"{entry.raw_path}?{redacted(entry.query)}" if entry.query else entry.raw_path
    return (
        f"{_timestamp(time_s)} {entry.remote} {entry.access_key or '-'} {entry.method} {path}"
        f" {entry.status} {entry.sent_bytes} B {entry.duration_s * 1000:.1f} ms {entry.request_id}"
    )


def _write_json(entry: Entry) -> None:
    _write_line(render_json(entry, time.time()))


def _write_text(entry: Entry) -> None:
    _write_line(render_text(entry, time.time()))


def _write_line(line: str) -> None:
    # One write call a line: lines of several workers never mix on a shared descriptor. A reader
    # of the log that went away must not take the requests with it.
    with contextlib.suppress(OSError):
        os.write(sys.stderr.fileno(), line.encode("utf-8", "backslashreplace") + b"\n")


def _timestamp(time_s: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time_s))
    return f"{whole}.{int(time_s * 1000) % 1000:03d}Z"
