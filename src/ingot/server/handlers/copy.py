"""CopyObject: no bytes pass through the server, and the store shares or links what it can."""

from __future__ import annotations

from ingot.base.limits import COPY_BYTES_MAX
from ingot.s3.conditions import check_copy_source, parse_conditions
from ingot.s3.documents import copy as documents
from ingot.s3.errors import S3Error
from ingot.s3.names import parse_copy_source
from ingot.server.handlers.common import (
    attributes_of,
    checksum_of,
    precondition_of,
    refuse_unsupported,
)
from ingot.server.request import Request
from ingot.server.response import Response, document
from ingot.server.service import Service
from ingot.store.objects import StoredObject

SOURCE_HEADER = "x-amz-copy-source"


async def copy_object(request: Request, service: Service) -> Response:
    """Copy an object, with its metadata or with that of the request."""
    refuse_unsupported(request)
    replaces = _replaces_metadata(request)
    source = find_source(request, service)
    if source.record.size_bytes > COPY_BYTES_MAX:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy"
            f" source: {COPY_BYTES_MAX}",
        )
    if (source.bucket, source.key) == (request.bucket, request.key) and not replaces:
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself"
            " without changing the object's metadata, storage class, website redirect location"
            " or encryption attributes.",
        )
    record = await service.store.objects.copy(
        source,
        request.bucket,
        request.key,
        attributes=attributes_of(request) if replaces else None,
        precondition=precondition_of(request),
    )
    return document(
        documents.render(documents.CopyResult(record.etag, record.modified_ns, checksum_of(record)))
    )


def find_source(request: Request, service: Service) -> StoredObject:
    """Return the object that `x-amz-copy-source` names, if its conditions hold.

    Raises:
        S3Error: `InvalidArgument`, `PreconditionFailed`.
        NoSuchBucketError, NoSuchKeyError, NoSuchVersionError: there is no such object.
    """
    bucket, key, version_id = parse_copy_source(request.headers[SOURCE_HEADER])
    source = service.store.objects.get(bucket, key, version_id=version_id)
    conditions = parse_conditions(request.headers, prefix=f"{SOURCE_HEADER}-")
    if conditions:
        check_copy_source(conditions, source.record.etag, source.record.modified_ns)
    return source


def _replaces_metadata(request: Request) -> bool:
    directive = request.headers.get("x-amz-metadata-directive", "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", "Unknown metadata directive.")
    if request.headers.get("x-amz-tagging-directive", "COPY").upper() != "COPY":
        raise S3Error("NotImplemented", "Tags are not implemented.")
    return directive == "REPLACE"
