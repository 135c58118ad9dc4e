"""ListenBucketNotification: the stream of a bucket's events that MinIO and its like offer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from ingot.base.errors import NetworkError
from ingot.base.units import MIB
from ingot.s3client.caller import Call, Caller
from ingot.transport.errors import SilentError

CREATED = "s3:ObjectCreated:*"
REMOVED = "s3:ObjectRemoved:*"
ACCESSED = "s3:ObjectAccessed:*"
# How often the service shall send a sign that the stream lives; some send nothing before the first.
_PING_S = 1
# A transport for listening needs no more patience than this.
LISTEN_SILENCE_S = 10.0
_LINE_BYTES_MAX = 4 * MIB
_PIECE_BYTES = 64 * 1024


class NoStreamError(NetworkError):
    """The service has no stream of events."""


class BucketEvent(NamedTuple):
    """Something that happened to an object.

    Attributes:
        name: as `s3:ObjectCreated:Put`.
        bucket: where.
        key: to what.
        time: when, as the service writes it.
        size_bytes: of the object, if the service tells.
        etag: of the object, without quotes, if the service tells.
        version_id: of the object, if the service tells.
    """

    name: str
    bucket: str
    key: str
    time: str = ""
    size_bytes: int | None = None
    etag: str | None = None
    version_id: str | None = None


class ListenOperations(Caller):
    """Methods named as the operations; each raises `ServiceError` or `NetworkError`."""

    def listen_bucket_notification(
        self,
        bucket: str,
        *,
        prefix: str = "",
        suffix: str = "",
        events: Sequence[str] = (CREATED, REMOVED),
    ) -> Iterator[tuple[BucketEvent, ...]]:
        """Yield what happens from now on; an empty tuple is only a sign that the stream lives.

        The first one, empty, comes as soon as the service listens. Silence is a sign that it does
        not, so the client's transport should not wait for longer than `LISTEN_SILENCE_S`.

        Args:
            bucket: where; empty for all buckets.
            prefix: what keys begin with.
            suffix: what keys end with.
            events: which kinds.

        Raises:
            NoStreamError: the service lists the bucket instead, or says nothing at all.
            ServiceError: the service has no such stream, or refused.
            NetworkError: the stream broke; what happened meanwhile is unknown.
        """
        query = [("ping", str(_PING_S)), ("prefix", prefix), ("suffix", suffix)]
        query += [("events", kind) for kind in events]
        try:
            opened = self.send(Call("GET", bucket, query=query))
        except SilentError as error:
            raise NoStreamError(f"{self.endpoint.url} sends no stream of events") from error
        with opened as response:
            # A service that does not know these parameters lists the bucket instead.
            if "xml" in response.headers.get("content-type", ""):
                raise NoStreamError(f"{self.endpoint.url} has no stream of events")
            yield ()
            held = b""
            for piece in response.stream(_PIECE_BYTES):
                *lines, held = (held + piece).split(b"\n")
                if len(held) > _LINE_BYTES_MAX:
                    raise NetworkError("the stream of events has a line without an end")
                yield tuple(event for line in lines if line.strip() for event in parse_line(line))
        raise NetworkError("the stream of events ended")


def parse_line(line: bytes) -> Iterator[BucketEvent]:
    """Read one line of the stream: a document with records.

    Raises:
        NetworkError: it is none.
    """
    try:
        for record in json.loads(line).get("Records") or ():
            yield _event(record)
    except (
        *(ValueError, KeyError, TypeError, AttributeError),
        *(OverflowError, RecursionError),  # of numbers and nesting that no service means
    ) as error:
        raise NetworkError(f"the stream of events cannot be read: {line[:60]!r}") from error


def _event(record: dict[str, Any]) -> BucketEvent:
    bucket, item = record["s3"]["bucket"], record["s3"]["object"]
    size_bytes = item.get("size")
    return BucketEvent(
        name=str(record["eventName"]),
        bucket=str(bucket["name"]),
        key=unquote_plus(str(item["key"])),
        time=str(record.get("eventTime", "")),
        size_bytes=None if size_bytes is None else int(size_bytes),
        etag=item.get("eTag"),
        version_id=item.get("versionId") or None,
    )
