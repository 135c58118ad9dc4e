"""GetObjectAttributes: what is known about an object, in one document."""

from __future__ import annotations

from ingot.base.limits import LIST_KEYS_MAX, PARTS_MAX
from ingot.s3.documents import attributes as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import parse_count
from ingot.server.handlers.common import (
    checksum_of,
    checksum_value,
    last_modified,
    shown_version,
    version_id_of,
)
from ingot.server.request import Request
from ingot.server.response import Response, document
from ingot.server.service import Service
from ingot.store.stored import StoredObject

_HEADER = "x-amz-object-attributes"
_NAMES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


async def get_object_attributes(request: Request, service: Service) -> Response:
    """Answer those attributes of an object or a version that the request names."""
    wanted = _wanted(request)
    found = service.store.objects.get(
        request.bucket, request.key, version_id=version_id_of(request)
    )
    record = found.record
    response = document(
        documents.render(
            documents.ObjectAttributes(
                etag=record.etag if "ETag" in wanted else None,
                checksum=checksum_of(record) if "Checksum" in wanted else None,
                parts=_parts(request, found) if "ObjectParts" in wanted else None,
                storage_class=record.attributes.storage_class if "StorageClass" in wanted else None,
                size_bytes=record.size_bytes if "ObjectSize" in wanted else None,
            )
        )
    )
    response.headers += [
        last_modified(record),
        *shown_version(record.version_id, versioned=found.versioned),
    ]
    return response


def _wanted(request: Request) -> set[str]:
    names = {name.strip() for name in request.headers.get(_HEADER, "").split(",")} - {""}
    if not names or not names <= _NAMES:
        raise S3Error(
            "InvalidArgument",
            "Invalid attribute name specified.",
            ArgumentName=_HEADER,
            ArgumentValue=request.headers.get(_HEADER, ""),
        )
    return names


def _parts(request: Request, found: StoredObject) -> documents.AttributeParts | None:
    if not found.record.part_count:
        return None
    headers = request.headers
    limit = parse_count("max-parts", headers.get("x-amz-max-parts"), limit=LIST_KEYS_MAX)
    marker = parse_count(
        "part-number-marker", headers.get("x-amz-part-number-marker") or "0", limit=PARTS_MAX
    )
    behind = [part for part in found.parts if part.number > marker]
    page = behind[:limit]
    return documents.AttributeParts(
        total=found.record.part_count,
        part_number_marker=marker,
        next_part_number_marker=page[-1].number if page else 0,
        max_parts=limit,
        is_truncated=len(behind) > len(page),
        parts=[
            documents.AttributePart(part.number, part.size_bytes, checksum_value(part.checksums))
            for part in page
        ],
    )
