"""DeleteObject and DeleteObjects."""

from __future__ import annotations

from ingot.s3.conditions import DeleteConditions, check_delete, parse_delete_conditions
from ingot.s3.documents import delete as documents
from ingot.s3.errors import S3Error
from ingot.s3.headers import DELETE_MARKER_HEADER, VERSION_ID_HEADER
from ingot.s3.names import check_key
from ingot.server.authorization import permits
from ingot.server.body import read_document
from ingot.server.errors import to_s3_error
from ingot.server.events.notes import note_removed
from ingot.server.handlers.common import version_id_of
from ingot.server.handlers.lock import bypasses_governance
from ingot.server.request import Request
from ingot.server.response import Response, document, empty
from ingot.server.service import Service
from ingot.store.changes import Removed
from ingot.store.errors import ObjectLockedError
from ingot.store.records import ListedRecord


async def delete_object(request: Request, service: Service) -> Response:
    """Remove an object or a version; what is not there is removed already."""
    headers = request.headers
    conditions = parse_delete_conditions(
        headers.get("if-match"),
        headers.get("x-amz-if-match-size"),
        headers.get("x-amz-if-match-last-modified-time"),
    )
    removal = _Removal(
        service, request.bucket, bypass_governance=bypasses_governance(request, service)
    )
    version_id = version_id_of(request)
    removed = await removal.remove(request.key, version_id, conditions)
    note_removed(
        request,
        service,
        request.key,
        version_id=removed.version_id,
        marked=removed.delete_marker and version_id is None,
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
    removal = _Removal(
        service, request.bucket, bypass_governance=bypasses_governance(request, service)
    )
    # A version that is locked is a failure of its own there.
    one_by_one = service.store.buckets.rules(request.bucket).lockable
    deleted: list[documents.Deleted] = []
    failures: list[documents.DeleteFailure] = []
    plain: list[documents.ObjectIdentifier] = []
    for item in wanted.objects:
        try:
            check_key(item.key)
            if not permits(request, service, "s3:DeleteObject", item.key, item.version_id):
                raise S3Error("AccessDenied")  # noqa: TRY301 # it is one item's answer
            conditions = parse_delete_conditions(item.etag, item.size, item.modified)
            if not conditions and not (one_by_one and item.version_id):
                plain.append(item)
                continue
            removed = await removal.remove(item.key, item.version_id, conditions)
            deleted.append(_deleted(item.key, item.version_id, removed))
        except (S3Error, ObjectLockedError) as error:
            known = to_s3_error(error)
            assert known is not None, "both have one"
            failures.append(
                documents.DeleteFailure(item.key, known.code, known.message, item.version_id)
            )
    deleted += await removal.remove_plainly(plain)
    for one in deleted:
        note_removed(
            request,
            service,
            one.key,
            version_id=one.version_id or one.delete_marker_version_id,
            marked=one.delete_marker and one.version_id is None,
        )
    return document(
        documents.render_result(documents.DeleteResult([] if wanted.quiet else deleted, failures))
    )


class _Removal:
    """Removes objects and versions of a bucket."""

    def __init__(self, service: Service, bucket: str, *, bypass_governance: bool) -> None:
        self._objects = service.store.objects
        self._bucket = bucket
        self._bypass_governance = bypass_governance

    async def remove(
        self, key: str, version_id: str | None, conditions: DeleteConditions
    ) -> Removed:
        """Remove one object or version if the conditions hold.

        Raises:
            S3Error: `PreconditionFailed`; `NoSuchKey` when an ETag is demanded of nothing.
            ObjectLockedError: the version is locked.
        """

        def check(found: ListedRecord | None) -> None:
            if found is not None:
                check_delete(conditions, found.etag, found.size_bytes, found.modified_ns)
            elif conditions.if_match:
                raise S3Error("NoSuchKey")
            # A size or a time is demanded of what is there: what is not is deleted already.

        precondition = check if conditions else None
        if version_id is None:
            return await self._objects.delete(self._bucket, key, precondition=precondition)
        outcome = await self._objects.delete_versions(
            self._bucket,
            {key: [version_id]},
            precondition=precondition,
            bypass_governance=self._bypass_governance,
        )
        return outcome[key, version_id]

    async def remove_plainly(
        self, items: list[documents.ObjectIdentifier]
    ) -> list[documents.Deleted]:
        """Remove objects and versions without conditions, in one commit of each kind.

        Raises:
            ObjectLockedError: a version is locked; no version was removed.
        """
        names: list[str] = []
        versions: dict[str, list[str]] = {}
        for item in items:
            if item.version_id is None:
                names.append(item.key)
            else:
                versions.setdefault(item.key, []).append(item.version_id)
        by_version = await self._objects.delete_versions(
            self._bucket, versions, bypass_governance=self._bypass_governance
        )
        by_name = await self._objects.delete_many(self._bucket, names)
        return [
            *(_deleted(key, name, removed) for (key, name), removed in by_version.items()),
            *(_deleted(key, None, removed) for key, removed in by_name.items()),
        ]


def _deleted(key: str, version_id: str | None, removed: Removed) -> documents.Deleted:
    marker_id = removed.version_id if removed.delete_marker else None
    return documents.Deleted(key, version_id, removed.delete_marker, marker_id)
