"""Operations of several requests, where one needs the answer to another: listings, multipart."""

from __future__ import annotations

import hashlib
import http.client
import re
import time
from collections.abc import Callable

from bench.load.connection import Tally, run
from bench.load.signing import NOTHING, Payload, Target, address
from ingot.s3.sigv4 import UNSIGNED_PAYLOAD, Query

_TOKEN = re.compile(rb"<NextContinuationToken>([^<]+)</NextContinuationToken>")
_UPLOAD = re.compile(rb"<UploadId>([^<]+)</UploadId>")
_TIMEOUT_S = 120


def list_all(target: Target, bucket: str, may_go_on: Callable[[], bool]) -> Tally:
    """List a bucket page by page, again and again; each whole listing is one request."""
    tally = Tally()
    # One connection, and no look at the keys: a client must cost little beside its server.
    connection = http.client.HTTPConnection(target.host, target.port, timeout=_TIMEOUT_S)
    while not tally.latencies_s or may_go_on():
        started_s = time.perf_counter()
        query: list[tuple[str, str]] = [("list-type", "2")]
        while query:
            document = _call(target, "GET", f"/{bucket}", query, tally, connection=connection)
            token = _TOKEN.search(document)
            query = []
            if token:
                query = [("list-type", "2"), ("continuation-token", token[1].decode())]
        tally.latencies_s.append(time.perf_counter() - started_s)
    connection.close()
    return tally


async def upload_in_parts(
    target: Target, path: str, payload: Payload, parts: int, may_go_on: Callable[[], bool]
) -> Tally:
    """Upload a body in parts over as many connections; each completed upload is one request."""
    step = len(payload.data) // parts
    pieces = [payload.data[at : at + step] for at in range(0, step * parts, step)]
    etags = [hashlib.md5(piece, usedforsecurity=False).hexdigest() for piece in pieces]
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in enumerate(etags, 1)
    )
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    document = f'<CompleteMultipartUpload xmlns="{namespace}">{listed}</CompleteMultipartUpload>'
    completion = Payload(document.encode(), hashlib.sha256(document.encode()).hexdigest())
    tally = Tally()
    while not tally.latencies_s or may_go_on():
        started_s = time.perf_counter()
        upload = _UPLOAD.search(_call(target, "POST", path, [("uploads", "")], tally))
        upload_id = upload[1].decode() if upload else ""
        requests = [
            target.request(
                "PUT",
                path,
                Payload(piece, UNSIGNED_PAYLOAD),
                [("partNumber", str(number)), ("uploadId", upload_id)],
            )
            for number, piece in enumerate(pieces, 1)
        ]
        sent = await run(target, iter(requests), parts, lambda: True)
        tally.first_failure = tally.first_failure or sent.first_failure
        for status, count in sent.statuses.items():
            tally.count(status, count)
        _call(target, "POST", path, [("uploadId", upload_id)], tally, payload=completion)
        tally.latencies_s.append(time.perf_counter() - started_s)
    return tally


def _call(
    target: Target,
    method: str,
    path: str,
    query: Query,
    tally: Tally,
    *,
    payload: Payload = NOTHING,
    connection: http.client.HTTPConnection | None = None,
) -> bytes:
    """Send one request, on a connection of its own unless one is given; return the body."""
    own = connection or http.client.HTTPConnection(target.host, target.port, timeout=_TIMEOUT_S)
    try:
        headers = target.headers(method, path, payload, query)
        own.request(method, address(path, query), body=payload.data, headers=headers)
        answer = own.getresponse()
        data = answer.read()
    finally:
        if connection is None:
            own.close()
    tally.count(answer.status)
    if answer.status >= 300:
        tally.first_failure = tally.first_failure or data
    return data
