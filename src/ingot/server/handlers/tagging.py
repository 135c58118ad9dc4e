"""The tags of objects and of buckets."""

from __future__ import annotations

from ingot.s3.documents import tagging as documents
from ingot.s3.errors import S3Error
from ingot.s3.tags import BUCKET_TAGS_MAX, OBJECT_TAGS_MAX
from ingot.server.body import read_document
from ingot.server.events.notes import CREATED, note_object
from ingot.server.handlers.common import shown_version, version_id_of
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service


async def get_object_tagging(request: Request, service: Service) -> Response:
    """Answer the tags of an object or a version."""
    found = service.store.objects.get(
        request.bucket, request.key, version_id=version_id_of(request)
    )
    response = document(documents.render(found.record.attributes.tags))
    response.headers += shown_version(found.record.version_id, versioned=found.versioned)
    return response


async def put_object_tagging(request: Request, service: Service) -> Response:
    """Replace the tags of an object or a version; it stays the same version."""
    tags = documents.parse(await read_document(request), limit=OBJECT_TAGS_MAX)
    return await _set_tags(request, service, tags, status=200)


async def delete_object_tagging(request: Request, service: Service) -> Response:
    """Remove the tags of an object or a version."""
    return await _set_tags(request, service, {}, status=204)


async def get_bucket_tagging(request: Request, service: Service) -> Response:
    """Answer a bucket's tags."""
    tags = service.store.buckets.get(request.bucket).tags
    if not tags:
        raise S3Error("NoSuchTagSet")
    return document(documents.render(tags))


async def put_bucket_tagging(request: Request, service: Service) -> Response:
    """Replace a bucket's tags."""
    tags = documents.parse(await read_document(request), limit=BUCKET_TAGS_MAX)
    await service.store.buckets.set_tags(request.bucket, tags)
    return empty(204)


async def delete_bucket_tagging(request: Request, service: Service) -> Response:
    """Remove a bucket's tags."""
    await service.store.buckets.set_tags(request.bucket, {})
    return empty(204)


async def _set_tags(
    request: Request, service: Service, tags: dict[str, str], *, status: int
) -> Response:
    record = await service.store.annotations.set_tags(
        request.bucket, request.key, tags, version_id=version_id_of(request)
    )
    change = "Put" if tags else "Delete"
    note_object(f"{CREATED}{change}Tagging", request, service, record)
    response = empty(status)
    # The place by whose rules this was just written.
    versioned = service.store.buckets.place(request.bucket).rules.versioned
    response.headers += shown_version(record.version_id, versioned=versioned)
    return response
