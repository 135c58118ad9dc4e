"""From a request that was carried out to the event that tells of it."""

from __future__ import annotations

from ingot.base.logs import request_id as current_request_id
from ingot.s3.eventrecords import Event
from ingot.server.request import Request
from ingot.server.service import Service
from ingot.store.keys import NULL_VERSION
from ingot.store.records import ObjectRecord

CREATED = "s3:ObjectCreated:"
ACCESSED = "s3:ObjectAccessed:"
REMOVED = "s3:ObjectRemoved:Delete"
MARKED = "s3:ObjectRemoved:DeleteMarkerCreated"


def note_object(name: str, request: Request, service: Service, record: ObjectRecord) -> None:
    """Tell of an object that was written, changed or read."""
    if not service.events.wanted:
        return
    version_id = "" if record.version_id == NULL_VERSION else record.version_id
    service.events.publish(
        _event(
            name,
            request,
            service,
            request.key,
            version_id=version_id,
            size_bytes=record.size_bytes,
            etag=record.etag,
        )
    )


def note_removed(
    request: Request, service: Service, key: str, *, version_id: str | None, marked: bool
) -> None:
    """Tell of an object or a version that was deleted.

    Args:
        request: what deleted it.
        service: this process's.
        key: the object's.
        version_id: of the version that is gone, or of the delete marker.
        marked: whether a delete marker was left.
    """
    if service.events.wanted:
        name = MARKED if marked else REMOVED
        service.events.publish(_event(name, request, service, key, version_id=version_id or ""))


def _event(
    name: str,
    request: Request,
    service: Service,
    key: str,
    *,
    version_id: str,
    size_bytes: int | None = None,
    etag: str = "",
) -> Event:
    return Event(
        name=name,
        time_ns=service.clock.now_ns(),
        bucket=request.bucket,
        key=key,
        size_bytes=size_bytes,
        etag=etag,
        version_id=version_id,
        access_key=request.identity.access_key,
        remote=request.remote,
        user_agent=request.headers.get("user-agent", ""),
        request_id=current_request_id.get() or "",
        region=service.region,
    )
