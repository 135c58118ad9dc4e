"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from ingot.s3.documents import delete as documents
from ingot.s3.errors import S3Error
from ingot.s3.names import check_key
from ingot.server.body import read_document
from ingot.server.handlers.common import check_version, check_version_id, precondition_of
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service

_CONDITIONS = ("x-amz-if-match-last-modified-time", "x-amz-if-match-size")


async def delete_object(request: Request, service: Service) -> Response:
    """Remove an object; one that is not there is removed already."""
    for name in _CONDITIONS:
        if name in request.headers:
            raise S3Error("NotImplemented", f"The header {name} is not implemented.", Header=name)
    check_version(request)
    await service.store.objects.delete(
        request.bucket, request.key, precondition=precondition_of(request)
    )
    return empty(204)


async def delete_objects(request: Request, service: Service) -> Response:
    """Remove up to 1,000 objects; each is reported on its own."""
    wanted = documents.parse_request(await read_document(request))
    deleted: list[documents.Deleted] = []
    failures: list[documents.DeleteFailure] = []
    for item in wanted.objects:
        try:
            check_key(item.key)
            check_version_id(item.version_id)
        except S3Error as error:
            failures.append(
                documents.DeleteFailure(item.key, error.code, error.message, item.version_id)
            )
        else:
            deleted.append(documents.Deleted(item.key, item.version_id))
    await service.store.objects.delete_many(request.bucket, [item.key for item in deleted])
    return document(
        documents.render_result(documents.DeleteResult([] if wanted.quiet else deleted, failures))
    )
