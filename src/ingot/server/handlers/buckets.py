"""Operations on buckets: list, create, head, delete, and their few settings."""

from __future__ import annotations

from ingot.s3.documents import buckets as documents
from ingot.s3.errors import S3Error
from ingot.s3.lockheaders import parse_lockable
from ingot.s3.names import check_bucket_name
from ingot.server.body import read_document
from ingot.server.handlers.common import OWNER, refuse_unsupported
from ingot.server.health import RESERVED_BUCKET
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.fences import Versioning

DEFAULT_REGION = "us-east-1"
_STATUSES = {
    Versioning.OFF: None,
    Versioning.ENABLED: "Enabled",
    Versioning.SUSPENDED: "Suspended",
}
_BUCKETS_MAX = 10_000
_CONFIGURATION_BYTES_MAX = 64 * 1024


async def list_buckets(request: Request, service: Service) -> Response:
    """List the buckets by name, a page at a time if `max-buckets` asks for it."""
    prefix = request.parameters.get("prefix", "")
    after = request.parameters.get("continuation-token", "")
    limit = request.integer("max-buckets", _BUCKETS_MAX, minimum=1, maximum=_BUCKETS_MAX)
    region = service.region or DEFAULT_REGION
    here = request.parameters.get("bucket-region", region) == region
    found = service.store.buckets.list(prefix=prefix, after=after, limit=limit + 1) if here else []
    page = [documents.Bucket(name, record.created_ns) for name, record in found[:limit]]
    return document(
        documents.render_list(
            documents.BucketList(
                OWNER,
                page,
                prefix=prefix or None,
                continuation_token=page[-1].name if len(found) > limit else None,
            )
        )
    )


async def create_bucket(request: Request, service: Service) -> Response:
    """Create a bucket in this server's region."""
    check_bucket_name(request.bucket)
    if request.bucket == RESERVED_BUCKET:
        raise S3Error(
            "InvalidBucketName", f"The name {RESERVED_BUCKET} is reserved for health checks."
        )
    lockable = parse_lockable(request.headers)
    refuse_unsupported(request)
    body = await read_document(request, size_bytes_max=_CONFIGURATION_BYTES_MAX)
    constraint = documents.parse_create(body)
    if constraint and service.region and constraint != service.region:
        raise S3Error("InvalidLocationConstraint", LocationConstraint=constraint)
    await service.store.buckets.create(request.bucket, lockable=lockable)
    return empty(200, {"location": f"/{request.bucket}"})


async def head_bucket(request: Request, service: Service) -> Response:
    """Tell whether the bucket exists, and its region."""
    service.store.buckets.get(request.bucket)
    return empty(200, {"x-amz-bucket-region": service.region or DEFAULT_REGION})


async def delete_bucket(request: Request, service: Service) -> Response:
    """Delete an empty bucket."""
    await service.store.buckets.delete(request.bucket)
    return empty(204)


async def get_bucket_location(request: Request, service: Service) -> Response:
    """Name the bucket's region."""
    service.store.buckets.get(request.bucket)
    return document(documents.render_location(service.region or DEFAULT_REGION))


async def get_bucket_versioning(request: Request, service: Service) -> Response:
    """Say whether the bucket keeps versions; nothing if it never did."""
    versioning = service.store.buckets.rules(request.bucket).versioning
    return document(documents.render_versioning(_STATUSES[versioning]))


async def put_bucket_versioning(request: Request, service: Service) -> Response:
    """Let the bucket keep versions, or keep no new ones."""
    service.store.buckets.get(request.bucket)
    body = await read_document(request, size_bytes_max=_CONFIGURATION_BYTES_MAX)
    wanted = documents.parse_put_versioning(body)
    versioning = next(state for state, status in _STATUSES.items() if status == wanted)
    await service.store.buckets.set_versioning(request.bucket, versioning)
    return empty(200)
