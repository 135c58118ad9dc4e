"""CopyObject and UploadPartCopy: copies within the server, which no client has to carry."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from ingot.base.limits import COPY_BYTES_MAX, PART_BYTES_MAX
from ingot.s3 import checksums
from ingot.s3.conditions import check_copy_source, parse_conditions
from ingot.s3.documents import copy as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import STORAGE_CLASS_HEADER, parse_part_number
from ingot.s3.names import parse_copy_source
from ingot.s3.operations import COPY_SOURCE
from ingot.s3.ranges import ByteRange
from ingot.s3.tags import TAGGING_DIRECTIVE_HEADER
from ingot.server.events.notes import CREATED, note_object
from ingot.server.handlers.common import (
    attributes_of,
    checksum_of,
    checksum_value,
    precondition_of,
    refuse_unsupported,
    version_headers,
)
from ingot.server.handlers.lock import lock_of
from ingot.server.request import Request
from ingot.server.response import Response, document, header
from ingot.server.service import Service
from ingot.store.errors import DeleteMarkerError
from ingot.store.keys import NULL_VERSION
from ingot.store.records import Attributes
from ingot.store.stored import StoredObject

_RANGE_HEADER = f"{COPY_SOURCE}-range"
_SOURCE_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{1,19})", re.ASCII)


async def copy_object(request: Request, service: Service) -> Response:
    """Copy an object, with its metadata or with that of the request."""
    refuse_unsupported(request)
    replaces = _replaces(request, "x-amz-metadata-directive")
    source = _find_source(request, service)
    if source.record.size_bytes > COPY_BYTES_MAX:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy"
            f" source: {COPY_BYTES_MAX}",
        )
    algorithm = _new_checksum(request, source)
    in_place = (source.bucket, source.key) == (request.bucket, request.key)
    changed = replaces or algorithm or STORAGE_CLASS_HEADER in request.headers
    if in_place and not changed and "?" not in request.headers[COPY_SOURCE]:
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
        attributes=_attributes(request, source, replaces=replaces),
        checksum=algorithm,
        lock=lock_of(request, service),
        precondition=precondition_of(request),
    )
    note_object(f"{CREATED}Copy", request, service, record)
    return _answer(
        documents.render(
            documents.CopyResult(record.etag, record.modified_ns, checksum_of(record))
        ),
        source,
        version_headers(record.version_id),
    )


async def upload_part_copy(request: Request, service: Service) -> Response:
    """Store a range of an object as a part of an upload."""
    refuse_unsupported(request)
    number = parse_part_number(request.parameters["partNumber"])
    source = _find_source(request, service)
    part = _source_range(request, source.record.size_bytes)
    if part.length > PART_BYTES_MAX:
        raise S3Error(
            "EntityTooLarge",
            ProposedSize=str(part.length),
            MaxSizeAllowed=str(PART_BYTES_MAX),
        )
    upload_id = request.parameters["uploadId"]
    service.store.quotas.require_room(
        request.bucket, request.key, part.length, part=(upload_id, number)
    )
    record = await service.store.uploads.copy_part(
        request.bucket,
        request.key,
        upload_id,
        number,
        source,
        start=part.start,
        length=part.length,
    )
    result = documents.CopyResult(record.etag, record.modified_ns, checksum_value(record.checksums))
    return _answer(documents.render_part(result), source)


def _answer(
    body: bytes, source: StoredObject, headers: Sequence[tuple[bytes, bytes]] = ()
) -> Response:
    response = document(body)
    response.headers += headers
    if source.record.version_id != NULL_VERSION:
        response.headers.append(header(f"{COPY_SOURCE}-version-id", source.record.version_id))
    return response


def _source_range(request: Request, size_bytes: int) -> ByteRange:
    text = request.headers.get(_RANGE_HEADER)
    if text is None:
        return ByteRange(0, size_bytes)
    match = _SOURCE_RANGE.fullmatch(text)
    first, last = (int(group) for group in match.groups()) if match else (1, 0)
    if first > last:
        raise S3Error(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first"
            " and last are the zero-based offsets of the first and last bytes to copy",
            ArgumentName=_RANGE_HEADER,
            ArgumentValue=text,
        )
    if last >= size_bytes:
        raise S3Error("InvalidRange", RangeRequested=text, ActualObjectSize=str(size_bytes))
    return ByteRange(first, last - first + 1)


def _find_source(request: Request, service: Service) -> StoredObject:
    """Return the object that `x-amz-copy-source` names, if its conditions hold.

    Raises:
        S3Error: `InvalidArgument`, `PreconditionFailed`.
        NoSuchBucketError, NoSuchKeyError, NoSuchVersionError: there is no such object.
    """
    bucket, key, version_id = parse_copy_source(request.headers[COPY_SOURCE])
    try:
        source = service.store.objects.get(bucket, key, version_id=version_id)
    except DeleteMarkerError as error:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by"
            " version id.",
        ) from error
    conditions = parse_conditions(request.headers, prefix=f"{COPY_SOURCE}-")
    if conditions:
        check_copy_source(conditions, source.record.etag, source.record.modified_ns)
    return source


def _attributes(request: Request, source: StoredObject, *, replaces: bool) -> Attributes:
    """Return what the copy keeps of its source and what it takes from the request."""
    asked, kept = attributes_of(request), source.record.attributes
    tags = asked.tags if _replaces(request, TAGGING_DIRECTIVE_HEADER) else kept.tags
    return msgspec.structs.replace(
        asked if replaces else kept, tags=tags, storage_class=asked.storage_class
    )


def _new_checksum(request: Request, source: StoredObject) -> str | None:
    """Return the algorithm that a copy is to be summed up with, unless its source is already."""
    asked = request.headers.get(checksums.ALGORITHM_HEADER)
    if asked is None:
        return None
    name = checksums.algorithm(asked).name
    record = source.record
    has_it = name in record.checksums and record.checksum_type == checksums.FULL_OBJECT
    return None if has_it else name


def _replaces(request: Request, directive_header: str) -> bool:
    directive = request.headers.get(directive_header, "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise S3Error(
            "InvalidArgument",
            f"Unknown directive in {directive_header}.",
            ArgumentName=directive_header,
            ArgumentValue=directive,
        )
    return directive == "REPLACE"
