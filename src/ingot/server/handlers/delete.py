"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from ingot.s3.conditions import DeleteConditions, check_delete, parse_delete_conditions
from ingot.s3.documents import delete as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import DELETE_MARKER_HEADER, VERSION_ID_HEADER
from ingot.s3.names import check_key
from ingot.server.body import read_document
from ingot.server.handlers.common import version_id_of
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.changes import Removed
from ingot.store.records import ListedRecord


async def delete_object(request: Request, service: Service) -> Response:
    """Remove an object or a version; what is not there is removed already."""
    headers = request.headers
    conditions = parse_delete_conditions(
        headers.get("if-match"),
        headers.get("x-amz-if-match-size"),
        headers.get("x-amz-if-match-last-modified-time"),
    )
    removed = await _delete(
        service, request.bucket, request.key, version_id_of(request), conditions
    )
    answer = {}
    if removed.version_id is not None:
        answer[VERSION_ID_HEADER] = removed.version_id
    if removed.delete_marker:
        answer[DELETE_MARKER_HEADER] = "true"
    return empty(204, answer)


async def delete_objects(request: Request, service: Service) -> Response:
    """Remove up to 1,000 objects or versions; each is reported on its own."""
    wanted = documents.parse_request(await read_document(request))
    service.store.buckets.get(request.bucket)
    deleted: list[documents.Deleted] = []
    failures: list[documents.DeleteFailure] = []
    plain: list[documents.ObjectIdentifier] = []
    for item in wanted.objects:
        try:
            check_key(item.key)
            conditions = parse_delete_conditions(item.etag, item.size, item.modified)
            if not conditions:
                plain.append(item)
                continue
            removed = await _delete(service, request.bucket, item.key, item.version_id, conditions)
            deleted.append(_deleted(item.key, item.version_id, removed))
        except S3Error as error:
            failures.append(
                documents.DeleteFailure(item.key, error.code, error.message, item.version_id)
            )
    deleted += await _delete_plainly(service, request.bucket, plain)
    return document(
        documents.render_result(documents.DeleteResult([] if wanted.quiet else deleted, failures))
    )


async def _delete(
    service: Service, bucket: str, key: str, version_id: str | None, conditions: DeleteConditions
) -> Removed:
    """Remove one object or version if the conditions hold.

    Raises:
        S3Error: `PreconditionFailed`; `NoSuchKey` when an ETag is demanded of nothing.
    """

    def check(found: ListedRecord | None) -> None:
        if found is not None:
            check_delete(conditions, found.etag, found.size_bytes, found.modified_ns)
        elif conditions.if_match:
            raise S3Error("NoSuchKey")
        # A size or a time is demanded of what is there: what is not is deleted already.

    objects = service.store.objects
    precondition = check if conditions else None
    if version_id is None:
        return await objects.delete(bucket, key, precondition=precondition)
    outcome = await objects.delete_versions(bucket, {key: [version_id]}, precondition=precondition)
    return outcome[key, version_id]


async def _delete_plainly(
    service: Service, bucket: str, items: list[documents.ObjectIdentifier]
) -> list[documents.Deleted]:
    """Remove objects and versions without conditions, in one commit of each kind."""
    names: list[str] = []
    versions: dict[str, list[str]] = {}
    for item in items:
        if item.version_id is None:
            names.append(item.key)
        else:
            versions.setdefault(item.key, []).append(item.version_id)
    objects = service.store.objects
    by_version = await objects.delete_versions(bucket, versions)
    by_name = await objects.delete_many(bucket, names)
    return [
        *(_deleted(key, version_id, removed) for (key, version_id), removed in by_version.items()),
        *(_deleted(key, None, removed) for key, removed in by_name.items()),
    ]


def _deleted(key: str, version_id: str | None, removed: Removed) -> documents.Deleted:
    marker_id = removed.version_id if removed.delete_marker else None
    return documents.Deleted(key, version_id, removed.delete_marker, marker_id)
