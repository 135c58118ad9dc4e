"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from ingot.s3.documents import delete as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import DELETE_MARKER_HEADER, VERSION_ID_HEADER
from ingot.s3.names import check_key
from ingot.server.body import read_document
from ingot.server.handlers.common import precondition_of, version_id_of
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.changes import Removed

_CONDITIONS = ("x-amz-if-match-last-modified-time", "x-amz-if-match-size")


async def delete_object(request: Request, service: Service) -> Response:
    """Remove an object or a version; what is not there is removed already."""
    for name in _CONDITIONS:
        if name in request.headers:
            raise S3Error("NotImplemented", f"The header {name} is not implemented.", Header=name)
    objects = service.store.objects
    bucket, key = request.bucket, request.key
    version_id = version_id_of(request)
    precondition = precondition_of(request)
    if version_id is None:
        removed = await objects.delete(bucket, key, precondition=precondition)
    else:
        outcome = await objects.delete_versions(
            bucket, {key: [version_id]}, precondition=precondition
        )
        removed = outcome[key, version_id]
    headers = {}
    if removed.version_id is not None:
        headers[VERSION_ID_HEADER] = removed.version_id
    if removed.delete_marker:
        headers[DELETE_MARKER_HEADER] = "true"
    return empty(204, headers)


async def delete_objects(request: Request, service: Service) -> Response:
    """Remove up to 1,000 objects or versions; each is reported on its own."""
    wanted = documents.parse_request(await read_document(request))
    names: list[str] = []
    versions: dict[str, list[str]] = {}
    failures: list[documents.DeleteFailure] = []
    for item in wanted.objects:
        try:
            check_key(item.key)
        except S3Error as error:
            failures.append(
                documents.DeleteFailure(item.key, error.code, error.message, item.version_id)
            )
            continue
        if item.version_id:
            versions.setdefault(item.key, []).append(item.version_id)
        else:
            names.append(item.key)
    objects = service.store.objects
    by_version = await objects.delete_versions(request.bucket, versions)
    by_name = await objects.delete_many(request.bucket, names)
    deleted = [
        *(_deleted(key, version_id, removed) for (key, version_id), removed in by_version.items()),
        *(_deleted(key, None, removed) for key, removed in by_name.items()),
    ]
    return document(
        documents.render_result(documents.DeleteResult([] if wanted.quiet else deleted, failures))
    )


def _deleted(key: str, version_id: str | None, removed: Removed) -> documents.Deleted:
    marker_id = removed.version_id if removed.delete_marker else None
    return documents.Deleted(key, version_id, removed.delete_marker, marker_id)
