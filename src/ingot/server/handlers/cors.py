"""The CORS rules of a bucket."""

from __future__ import annotations

from ingot.s3.documents.cors import DOCUMENT_BYTES_MAX, parse, render
from ingot.s3.errors import S3Error
from ingot.server.body import read_document
from ingot.server.cors import CORS_SETTING
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service


async def get_bucket_cors(request: Request, service: Service) -> Response:
    """Answer the rules."""
    text = service.store.buckets.get(request.bucket).settings.get(CORS_SETTING)
    if text is None:
        raise S3Error("NoSuchCORSConfiguration")
    return document(text.encode())


async def put_bucket_cors(request: Request, service: Service) -> Response:
    """Replace the rules."""
    service.store.buckets.get(request.bucket)
    rules = parse(await read_document(request, size_bytes_max=DOCUMENT_BYTES_MAX))
    # As we write it, not as it came: nothing but rules is kept.
    await service.store.buckets.set_setting(request.bucket, CORS_SETTING, render(rules).decode())
    return empty(200)


async def delete_bucket_cors(request: Request, service: Service) -> Response:
    """Take the rules away."""
    await service.store.buckets.set_setting(request.bucket, CORS_SETTING, None)
    return empty(204)
