"""Object lock: a bucket's configuration, and the retention and the legal hold of its versions."""

from __future__ import annotations

from ingot.s3.documents import lock as documents
from ingot.s3.documents.lock import DefaultRetention, LockConfiguration, Retention
from ingot.s3.errors import S3Error
from ingot.s3.lockheaders import check_future, parse_bypass, parse_lock_headers
from ingot.server.authorization import permits
from ingot.server.body import read_document
from ingot.server.events.notes import CREATED, note_object
from ingot.server.handlers.common import version_headers, version_id_of
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.locks import Lock, LockRule
from ingot.store.records import ObjectRecord

_BYPASS_ACTION = "s3:BypassGovernanceRetention"


def lock_of(request: Request, service: Service) -> Lock | None:
    """Return the lock that a request asks for its new object.

    Raises:
        S3Error: `InvalidArgument`.
    """
    asked = parse_lock_headers(request.headers, service.clock.now_ns())
    if asked is None:
        return None
    retention = asked.retention
    if retention is None:
        return Lock(hold=asked.hold)
    return Lock(retention.mode, retention.until_ns, asked.hold)


def bypasses_governance(request: Request, service: Service) -> bool:
    """Tell whether a request passes by retention in governance mode.

    Raises:
        S3Error: `AccessDenied` for who may not, `InvalidArgument`.
    """
    if not parse_bypass(request.headers):
        return False
    # A deletion of many asks for the keys that it would need it for, whichever they are.
    if not permits(request, service, _BYPASS_ACTION, request.key or "*"):
        raise S3Error("AccessDenied")
    return True


async def get_object_lock_configuration(request: Request, service: Service) -> Response:
    """Answer whether a bucket's objects may be locked, and the retention of new ones."""
    rules = service.store.buckets.rules(request.bucket)
    if not rules.lockable:
        raise S3Error("ObjectLockConfigurationNotFoundError")
    rule = rules.lock_rule
    default = None if rule is None else DefaultRetention(rule.mode, rule.days, rule.years)
    return document(documents.render_configuration(LockConfiguration(default=default)))


async def put_object_lock_configuration(request: Request, service: Service) -> Response:
    """Let a bucket's objects be locked, and set the retention of new ones."""
    service.store.buckets.get(request.bucket)
    wanted = documents.parse_configuration(await read_document(request))
    if not wanted.enabled:
        raise S3Error("MalformedXML", "ObjectLockEnabled must be Enabled.")
    default = wanted.default
    rule = None if default is None else LockRule(default.mode, default.days, default.years)
    await service.store.buckets.set_lock(request.bucket, rule)
    return empty(200)


async def get_object_retention(request: Request, service: Service) -> Response:
    """Answer until when a version is kept."""
    record = _lockable(request, service)
    lock = record.lock
    if lock is None or not lock.mode:
        raise S3Error("NoSuchObjectLockConfiguration")
    response = document(documents.render_retention(Retention(lock.mode, lock.until_ns)))
    response.headers += version_headers(record.version_id)
    return response


async def put_object_retention(request: Request, service: Service) -> Response:
    """Keep a version until a time, or no longer."""
    wanted = documents.parse_retention(await read_document(request))
    if wanted is not None:
        check_future(wanted, service.clock.now_ns())
    record = await service.store.annotations.set_retention(
        request.bucket,
        request.key,
        wanted.mode if wanted else "",
        wanted.until_ns if wanted else 0,
        version_id=version_id_of(request),
        bypass_governance=bypasses_governance(request, service),
    )
    note_object(f"{CREATED}PutRetention", request, service, record)
    response = empty(200)
    response.headers += version_headers(record.version_id)
    return response


async def get_object_legal_hold(request: Request, service: Service) -> Response:
    """Answer whether a version is held."""
    record = _lockable(request, service)
    if record.lock is None:
        raise S3Error("NoSuchObjectLockConfiguration")
    response = document(documents.render_legal_hold(on=record.lock.hold))
    response.headers += version_headers(record.version_id)
    return response


async def put_object_legal_hold(request: Request, service: Service) -> Response:
    """Hold a version, or let it go."""
    on = documents.parse_legal_hold(await read_document(request))
    record = await service.store.annotations.set_legal_hold(
        request.bucket, request.key, on=on, version_id=version_id_of(request)
    )
    note_object(f"{CREATED}PutLegalHold", request, service, record)
    response = empty(200)
    response.headers += version_headers(record.version_id)
    return response


def _lockable(request: Request, service: Service) -> ObjectRecord:
    if not service.store.buckets.rules(request.bucket).lockable:
        raise S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration")
    found = service.store.objects.get(
        request.bucket, request.key, version_id=version_id_of(request)
    )
    return found.record
