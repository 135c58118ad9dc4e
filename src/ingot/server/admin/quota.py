"""The quota of a bucket: how much it may hold."""

from __future__ import annotations

from typing import Final

import msgspec

from ingot.base.units import KIB
from ingot.s3.errors import S3Error
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, empty, json_document
from ingot.server.service import Service

HARD: Final = "hard"
_BODY_BYTES_MAX: Final = 16 * KIB
_SIZE_BYTES_MAX: Final = (1 << 63) - 1


class BucketQuota(msgspec.Struct, omit_defaults=False):
    """A quota as clients write and read it; of `size` and the older `quota` one is enough."""

    quota: int = 0
    size: int = 0
    rate: int = 0
    requests: int = 0
    quotatype: str = ""


async def admin_set_bucket_quota(request: Request, service: Service) -> Response:
    """Set the quota; none, or one of no bytes, takes it away."""
    bucket = bucket_of(request)
    body = await read_document(request, size_bytes_max=_BODY_BYTES_MAX)
    wanted = _parse(body)
    size_bytes = wanted.size or wanted.quota
    if size_bytes:
        await service.store.quotas.set(bucket, size_bytes)
    else:
        await service.store.quotas.clear(bucket)
    return empty(200)


async def admin_get_bucket_quota(request: Request, service: Service) -> Response:
    """Answer the quota, with no bytes where there is none."""
    size_bytes = service.store.quotas.get(bucket_of(request))
    return json_document(describe(size_bytes))


def describe(size_bytes: int | None) -> BucketQuota:
    """Return a quota as clients read it."""
    if size_bytes is None:
        return BucketQuota()
    return BucketQuota(quota=size_bytes, size=size_bytes, quotatype=HARD)


def bucket_of(request: Request) -> str:
    """Return the bucket that a request is about.

    Raises:
        S3Error: `InvalidArgument` when it names none.
    """
    bucket = request.parameters.get("bucket", "")
    if not bucket:
        raise S3Error("InvalidArgument", "The query must name a bucket.", ArgumentName="bucket")
    return bucket


def _parse(body: bytes) -> BucketQuota:
    try:
        wanted = msgspec.json.decode(body, type=BucketQuota)
    except msgspec.DecodeError as error:
        raise S3Error("XMinioAdminInvalidArgument", f"The quota is malformed: {error}") from error
    sizes = (wanted.quota, wanted.size)
    if wanted.rate or wanted.requests:
        raise S3Error("NotImplemented", "Quotas limit bytes; rates are not implemented.")
    if any(sizes) and wanted.quotatype != HARD:
        raise S3Error("XMinioAdminInvalidArgument", 'The only type of quotas is "hard".')
    if not all(0 <= size <= _SIZE_BYTES_MAX for size in sizes) or (
        all(sizes) and len({*sizes}) > 1
    ):
        raise S3Error("XMinioAdminInvalidArgument", "The size of the quota is not valid.")
    return wanted
