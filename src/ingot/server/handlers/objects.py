"""PutObject, GetObject, HeadObject."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping

from ingot.base.limits import PUT_BYTES_MAX
from ingot.iam.identities import ANONYMOUS
from ingot.s3.checksums import TYPE_HEADER
from ingot.s3.conditions import check_read, parse_conditions
from ingot.s3.dates import NS_PER_S, parse_http_date
from ingot.s3.errors import S3Error
from ingot.s3.etags import unquote_etag
from ingot.s3.headers import VERSION_ID_HEADER, parse_overrides, parse_part_number
from ingot.s3.ranges import ByteRange, format_content_range, parse_range
from ingot.server.body import RequestBody
from ingot.server.events.notes import ACCESSED, CREATED, note_object
from ingot.server.handlers.common import (
    attributes_of,
    not_modified_headers,
    object_headers,
    precondition_of,
    refuse_unsupported,
    version_headers,
    version_id_of,
)
from ingot.server.handlers.lock import lock_of
from ingot.server.request import Request
from ingot.server.response import Headers, Response, header
from ingot.server.service import Service
from ingot.server.upload import store_body
from ingot.store.keys import NULL_VERSION
from ingot.store.records import ObjectRecord
from ingot.store.stored import StoredObject

_NOTHING = ByteRange(0, 0)
_GET = f"{ACCESSED}Get"
_HEAD = f"{ACCESSED}Head"


async def put_object(request: Request, service: Service) -> Response:
    """Store an object; it is durable, and visible under its key, once this answers."""
    refuse_unsupported(request)
    store = service.store
    store.buckets.partition(request.bucket)  # no bucket, no upload
    attributes, lock = attributes_of(request), lock_of(request, service)
    announced = RequestBody(request, size_bytes_max=PUT_BYTES_MAX)
    store.quotas.require_room(request.bucket, request.key, announced.expected.size_bytes)
    body = await store_body(store.bodies, announced)
    record = await store.objects.put(
        request.bucket,
        request.key,
        body,
        attributes,
        lock=lock,
        precondition=precondition_of(request),
    )
    note_object(f"{CREATED}Put", request, service, record)
    headers: Headers = [
        (b"etag", b'"%s"' % record.etag.encode("ascii")),
        (b"content-length", b"0"),
        *version_headers(record.version_id),
    ]
    for name, value in record.checksums.items():
        headers.append(header(f"x-amz-checksum-{name.lower()}", value))
        headers.append(header(TYPE_HEADER, record.checksum_type))
    return Response(200, headers)


async def get_object(request: Request, service: Service) -> Response:
    """Answer an object's bytes, or a range of them."""
    response, found, part = _head(request, service)
    if service.events.wanted:
        note_object(_GET, request, service, found.record)
    if not part.length:
        return response
    if found.body is not None:
        response.body = found.body[part.start : part.start + part.length]
    else:
        source = service.store.objects.read(found, part.start, part.length)
        response.body = await _begin(source, part.length)
    return response


async def head_object(request: Request, service: Service) -> Response:
    """Answer what GetObject would, without the bytes."""
    response, found, _ = _head(request, service)
    if service.events.wanted:
        note_object(_HEAD, request, service, found.record)
    return response


def _head(request: Request, service: Service) -> tuple[Response, StoredObject, ByteRange]:
    """Return the answer without its body, the object, and the range the body is to be."""
    parameters, asked = request.parameters, request.headers
    version_id = version_id_of(request) if parameters else None
    found = service.store.objects.get(request.bucket, request.key, version_id=version_id)
    record = found.record
    if not _modified(record, asked):
        return Response(304, not_modified_headers(found)), found, _NOTHING
    size_bytes = record.size_bytes
    part = _wanted_range(request, found)
    with_checksums = part is None and asked.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    headers = object_headers(found, with_checksums=with_checksums)
    if parameters:
        if version_id == NULL_VERSION and not found.versioned:
            headers.append(header(VERSION_ID_HEADER, version_id))
        overrides = {n.encode(): header(n, v) for n, v in _overrides(request).items()}
        headers = [pair for pair in headers if pair[0] not in overrides] + [*overrides.values()]
        if "partNumber" in parameters and record.part_count:
            headers.append((b"x-amz-mp-parts-count", b"%d" % record.part_count))
    if part is None:
        headers.append((b"content-length", b"%d" % size_bytes))
        return Response(200, headers), found, ByteRange(0, size_bytes)
    headers.append((b"content-length", b"%d" % part.length))
    headers.append(header("content-range", format_content_range(part, size_bytes)))
    return Response(206, headers), found, part


def _overrides(request: Request) -> dict[str, str]:
    """Return the headers that the request sets for its answer; whoever does signs for it.

    Raises:
        S3Error: `InvalidRequest` for the anonymous, and the errors of `parse_overrides`.
    """
    overrides = parse_overrides(request.parameters)
    if overrides and request.identity is ANONYMOUS:
        raise S3Error(
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        )
    return overrides


def _wanted_range(request: Request, found: StoredObject) -> ByteRange | None:
    """Return the range that the request asks for, None meaning the whole object."""
    asked = request.headers
    if "partNumber" in request.parameters:
        if "range" in asked:
            raise S3Error(
                "InvalidRequest",
                "Cannot specify both Range header and partNumber query parameter",
            )
        return _part_range(parse_part_number(request.parameters["partNumber"]), found)
    if "range" in asked and _range_applies(asked.get("if-range"), found.record):
        return parse_range(asked["range"], found.record.size_bytes)
    return None


def _part_range(number: int, found: StoredObject) -> ByteRange | None:
    """Return where a part lies; an object that came in one piece is its own first part."""
    sizes = [part.size_bytes for part in found.parts] or [found.record.size_bytes]
    if number > len(sizes):
        raise S3Error(
            "InvalidPartNumber",
            PartNumberRequested=str(number),
            ActualPartCount=str(len(sizes)),
        )
    length = sizes[number - 1]
    return ByteRange(sum(sizes[: number - 1]), length) if length else None


def _modified(record: ObjectRecord, asked: Mapping[str, str]) -> bool:
    conditions = parse_conditions(asked)
    if conditions:
        try:
            check_read(conditions, record.etag, record.modified_ns)
        except S3Error as error:
            if error.code != "NotModified":
                raise
            return False
    return True


def _range_applies(if_range: str | None, record: ObjectRecord) -> bool:
    """Tell whether a range still fits the object that the client has the beginning of."""
    if if_range is None:
        return True
    since_s = parse_http_date(if_range)
    if since_s is not None:
        return record.modified_ns // NS_PER_S <= since_s
    return unquote_etag(if_range) == record.etag


async def _begin(
    source: AsyncGenerator[bytes, None], length: int
) -> bytes | AsyncGenerator[bytes, None]:
    """Fetch the first piece, so that a damaged object is an error and no broken answer."""
    first = await anext(source)
    if len(first) == length:
        return first
    return _continue(first, source)


async def _continue(
    first: bytes, source: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(source) as rest:
        yield first
        async for piece in rest:
            yield piece
