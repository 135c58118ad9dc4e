"""What this server is, what it holds, and what who asks may do with it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from typing import Any, Final

import ingot
from ingot.iam.policies import ARN_PREFIX
from ingot.s3.dates import NS_PER_S, format_iso8601
from ingot.server.admin.quota import describe
from ingot.server.authorization import policy_of
from ingot.server.permissions import context_of
from ingot.server.request import Request
from ingot.server.response import Response, json_document
from ingot.server.service import Service
from ingot.store.census import Held
from ingot.store.fences import Versioning
from ingot.store.usage import NOTHING, Usage

BUCKETS_MAX: Final = 100_000
_BACKEND: Final = "FS"
# The number that the backend's type has in answers about accounts.
_BACKEND_NUMBER: Final = 1
_EVERYTHING: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["admin:*"]},
        {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::*"]},
    ],
}


async def admin_server_info(request: Request, service: Service) -> Response:
    """Answer what `mc admin info` shows."""
    buckets = await _held(service)
    usage = _sum(buckets)
    host = request.headers.get("host", "")
    drives = _drives(service)
    server = {
        "state": "online",
        "endpoint": host,
        "scheme": "https" if request.is_secure else "http",
        "uptime": (service.clock.now_ns() - service.started_ns) // NS_PER_S,
        "version": ingot.__version__,
        "network": {host: "online"},
        "drives": drives,
        "num_cpu": os.cpu_count(),
        "runtime_version": f"Python {platform.python_version()}",
    }
    return json_document(
        {
            "mode": "online",
            "region": service.region,
            "domain": list(service.domains),
            "deploymentID": service.store.deployment_id,
            "buckets": {"count": len(buckets)},
            "objects": {"count": usage.objects},
            "versions": {"count": usage.versions},
            "deletemarkers": {"count": usage.delete_markers},
            "usage": {"size": usage.size_bytes},
            "backend": {"backendType": _BACKEND, "onlineDisks": len(drives)},
            "servers": [server],
        }
    )


async def admin_data_usage_info(request: Request, service: Service) -> Response:
    """Answer what each bucket holds."""
    buckets = await _held(service)
    usage = _sum(buckets)
    answer: dict[str, Any] = {
        "objectsCount": usage.objects,
        "objectsTotalSize": usage.size_bytes,
        "bucketsCount": len(buckets),
        "bucketsUsageInfo": {held.bucket: _bucket_usage(held.usage) for held in buckets},
        "bucketsSizes": {held.bucket: held.usage.size_bytes for held in buckets},
    }
    found_ns = min((held.found_ns for held in buckets), default=service.clock.now_ns())
    if found_ns:
        answer["lastUpdate"] = format_iso8601(found_ns)
    if request.parameters.get("capacity") == "true":
        for drive in _drives(service):
            answer["capacity"] = drive["totalspace"]
            answer["freeCapacity"] = drive["availspace"]
            answer["usedCapacity"] = drive["usedspace"]
    return json_document(answer)


async def admin_account_info(request: Request, service: Service) -> Response:
    """Answer who asks, and the buckets they may read or write."""
    identity = request.identity
    context = context_of(request, identity, service.clock.now_ns())
    shown = []
    for held in await _held(service):
        bucket, policy = held.bucket, policy_of(held.bucket, service)
        resource = ARN_PREFIX + bucket
        read = identity.may("s3:ListBucket", resource, context, policy)
        write = identity.may("s3:PutObject", f"{resource}/*", context, policy)
        if read or write:
            shown.append(_account_bucket(held, service, read=read, write=write))
    return json_document(
        {
            "AccountName": identity.access_key,
            "Server": {"Type": _BACKEND_NUMBER},
            "Policy": _EVERYTHING if identity.is_root else None,
            "Buckets": shown,
        }
    )


def _account_bucket(held: Held, service: Service, *, read: bool, write: bool) -> dict[str, Any]:
    rules = service.store.buckets.rules(held.bucket)
    return {
        "name": held.bucket,
        "size": held.usage.size_bytes,
        "objects": held.usage.objects,
        "created": format_iso8601(held.record.created_ns),
        "access": {"read": read, "write": write},
        "details": {
            "versioning": rules.versioning is Versioning.ENABLED,
            "versioningSuspended": rules.versioning is Versioning.SUSPENDED,
            "locking": rules.lockable,
            "replication": False,
            "quota": None if held.limit_bytes is None else describe(held.limit_bytes),
        },
    }


def _bucket_usage(usage: Usage) -> dict[str, int]:
    return {
        "size": usage.size_bytes,
        "objectsCount": usage.objects,
        "versionsCount": usage.versions,
        "deleteMarkersCount": usage.delete_markers,
    }


async def _held(service: Service) -> Sequence[Held]:
    store = service.store
    return await store.bodies.run(lambda: store.census.all(limit=BUCKETS_MAX))


def _sum(buckets: Sequence[Held]) -> Usage:
    usage = NOTHING
    for held in buckets:
        usage = usage.plus(held.usage)
    return usage


def _drives(service: Service) -> list[dict[str, Any]]:
    """Return the one device that the store is on; none for a store in memory."""
    directory = service.store.directory
    if directory is None:
        return []
    disk = os.statvfs(directory)
    total_bytes = disk.f_blocks * disk.f_frsize
    free_bytes = disk.f_bfree * disk.f_frsize
    return [
        {
            "endpoint": str(directory),
            "path": str(directory),
            "state": "ok",
            "totalspace": total_bytes,
            "usedspace": total_bytes - free_bytes,
            "availspace": disk.f_bavail * disk.f_frsize,
            "used_inodes": disk.f_files - disk.f_ffree,
            "free_inodes": disk.f_ffree,
            "local": True,
        }
    ]
