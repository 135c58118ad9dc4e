"""What an event tells: one record, as JSON.

Source: Amazon S3 user guide, "Event message structure".
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote_plus

import msgspec

from ingot.s3.dates import format_iso8601


class Event(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened to an object.

    Attributes:
        name: `s3:ObjectCreated:Put` and so on.
        time_ns: nanoseconds since the epoch.
        bucket: the bucket's name.
        key: the object's key.
        size_bytes: of what was written; None where nothing was.
        etag: likewise, without quotes.
        version_id: empty where the bucket keeps no versions.
        access_key: who did it; empty for who did not sign.
        remote: the address it came from.
        user_agent: the program it came from.
        request_id: of the request.
        region: the server's.
    """

    name: str
    time_ns: int
    bucket: str
    key: str
    size_bytes: int | None = None
    etag: str = ""
    version_id: str = ""
    access_key: str = ""
    remote: str = ""
    user_agent: str = ""
    request_id: str = ""
    region: str = ""


def render(events: Sequence[Event]) -> bytes:
    """Write events as one JSON document."""
    return msgspec.json.encode({"Records": [_record(event) for event in events]})


def fits(event: Event, *, names: Sequence[str], prefix: str, suffix: str) -> bool:
    """Tell whether somebody who asked for these events is told of this one."""
    return (
        event.key.startswith(prefix)
        and event.key.endswith(suffix)
        and any(
            event.name.startswith(name.removesuffix("*"))
            if name.endswith("*")
            else event.name == name
            for name in names
        )
    )


def _record(event: Event) -> dict[str, object]:
    # Keys are written as in a form, as Amazon does.
    target: dict[str, object] = {"key": quote_plus(event.key, safe="/")}
    if event.size_bytes is not None:
        target["size"] = event.size_bytes
        target["eTag"] = event.etag
    if event.version_id:
        target["versionId"] = event.version_id
    # Orders the events of one key.
    target["sequencer"] = f"{event.time_ns:016X}"
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": format_iso8601(event.time_ns),
        "eventName": event.name.removeprefix("s3:"),
        "userIdentity": {"principalId": event.access_key},
        "requestParameters": {"sourceIPAddress": event.remote, "principalId": event.access_key},
        "responseElements": {"x-amz-request-id": event.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": event.bucket, "arn": f"arn:aws:s3:::{event.bucket}"},
            "object": target,
        },
        "source": {"host": event.remote, "port": "", "userAgent": event.user_agent},
    }
