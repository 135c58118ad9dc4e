"""Listening to events while they happen: MinIO's extension, which `mc watch` uses."""

from __future__ import annotations

from ingot.s3.errors import S3Error
from ingot.s3.events import is_event
from ingot.server.events.hub import TooManyListenersError, Wish
from ingot.server.request import Request
from ingot.server.response import Response
from ingot.server.service import Service

_EVENTS_MAX = 100
_PULSE_S = 0.5
_PING_S_MAX = 3600
# White space between documents means nothing; a ping is a document without records.
_SPACE = b" "
_PING = b'{"Records":null}\n'


async def listen_bucket_notification(request: Request, service: Service) -> Response:
    """Answer the events of a bucket as JSON lines, for as long as the client listens."""
    service.store.buckets.get(request.bucket)
    return _listen(request, service)


async def listen_notification(request: Request, service: Service) -> Response:
    """Answer the events of all buckets."""
    return _listen(request, service)


def _listen(request: Request, service: Service) -> Response:
    names = tuple(value for name, value in request.query if name == "events" and value)
    for name in names:
        if not is_event(name):
            raise S3Error(
                "InvalidArgument",
                "A specified event is not supported for notifications.",
                ArgumentName="events",
                ArgumentValue=name,
            )
    if not 1 <= len(names) <= _EVENTS_MAX:
        raise S3Error("InvalidArgument", f"Name 1 to {_EVENTS_MAX} events.", ArgumentName="events")
    wish = Wish(
        request.bucket,
        names,
        request.parameters.get("prefix", ""),
        request.parameters.get("suffix", ""),
    )
    ping_s = request.integer("ping", 0, minimum=0, maximum=_PING_S_MAX)
    try:
        lines = service.events.listen(
            wish, pulse_s=ping_s or _PULSE_S, pulse=_PING if ping_s else _SPACE
        )
    except TooManyListenersError as error:
        raise S3Error("SlowDown", "There are too many listeners.") from error
    return Response(200, [(b"content-type", b"text/event-stream")], lines)
