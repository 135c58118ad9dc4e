"""ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from ingot.base.limits import LIST_KEYS_MAX
from ingot.s3.documents import listing as documents
from ingot.s3.documents.columns import ObjectColumns, VersionColumns
from ingot.s3.documents.common import Owner
from ingot.s3.errors import S3Error
from ingot.s3.headers import parse_count
from ingot.server.handlers.common import OWNER
from ingot.server.request import Request
from ingot.server.response import Response, document
from ingot.server.service import Service
from ingot.store.pages import ListedVersion, Page

_VERSION_ID_LENGTH_MAX = 32


async def list_objects(request: Request, service: Service) -> Response:
    """List a bucket's objects, version 1 of the operation."""
    parameters = request.parameters
    marker = parameters.get("marker", "")
    page, limit = _page(request, service, after=marker)
    return document(
        documents.render_objects(
            documents.ObjectList(
                bucket=request.bucket,
                prefix=parameters.get("prefix", ""),
                delimiter=parameters.get("delimiter") or None,
                max_keys=limit,
                encoding_type=parameters.get("encoding-type"),
                is_truncated=page.truncated,
                entries=(),
                common_prefixes=page.prefixes,
                marker=marker,
                # Amazon says it only with a delimiter; saying it always spares clients a rule.
                next_marker=page.next_after if page.truncated else None,
            ),
            object_columns(page, OWNER),
        )
    )


async def list_objects_v2(request: Request, service: Service) -> Response:
    """List a bucket's objects, version 2 of the operation."""
    parameters = request.parameters
    if parameters["list-type"] != "2":
        raise S3Error(
            "InvalidArgument",
            ArgumentName="list-type",
            ArgumentValue=parameters["list-type"],
        )
    token = parameters.get("continuation-token")
    start_after = parameters.get("start-after")
    after = (start_after or "") if token is None else _parse_token(token)
    page, limit = _page(request, service, after=after)
    with_owner = parameters.get("fetch-owner", "").lower() == "true"
    return document(
        documents.render_objects_v2(
            documents.ObjectListV2(
                bucket=request.bucket,
                prefix=parameters.get("prefix", ""),
                delimiter=parameters.get("delimiter") or None,
                max_keys=limit,
                encoding_type=parameters.get("encoding-type"),
                is_truncated=page.truncated,
                entries=(),
                common_prefixes=page.prefixes,
                continuation_token=token,
                next_continuation_token=_token(page.next_after) if page.truncated else None,
                start_after=start_after,
            ),
            object_columns(page, OWNER if with_owner else None),
        )
    )


async def list_object_versions(request: Request, service: Service) -> Response:
    """List the versions of a bucket's objects, of each key from the newest to the oldest."""
    parameters = request.parameters
    prefix = parameters.get("prefix", "")
    key_marker = parameters.get("key-marker", "")
    version_id_marker = parameters.get("version-id-marker", "")
    if version_id_marker and not (key_marker and _is_version_id(version_id_marker)):
        raise S3Error(
            "InvalidArgument",
            "Invalid version id specified"
            if key_marker
            else "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version_id_marker,
        )
    limit = parse_count("max-keys", parameters.get("max-keys"), limit=LIST_KEYS_MAX)
    page = service.store.objects.list_versions(
        request.bucket,
        prefix=prefix,
        delimiter=parameters.get("delimiter", ""),
        after_key=key_marker,
        after_version_id=version_id_marker,
        limit=limit,
    )
    return document(
        documents.render_versions(
            documents.VersionList(
                bucket=request.bucket,
                prefix=prefix,
                delimiter=parameters.get("delimiter") or None,
                max_keys=limit,
                encoding_type=parameters.get("encoding-type"),
                is_truncated=page.truncated,
                versions=(),
                common_prefixes=page.prefixes,
                key_marker=key_marker,
                version_id_marker=version_id_marker,
                next_key_marker=page.next_key if page.truncated else None,
                next_version_id_marker=(page.next_version_id or None) if page.truncated else None,
            ),
            version_columns(page.versions),
        )
    )


def _is_version_id(text: str) -> bool:
    return text.isascii() and text.isalnum() and len(text) <= _VERSION_ID_LENGTH_MAX


def _page(request: Request, service: Service, *, after: str) -> tuple[Page, int]:
    parameters = request.parameters
    limit = parse_count("max-keys", parameters.get("max-keys"), limit=LIST_KEYS_MAX)
    page = service.store.objects.list(
        request.bucket,
        prefix=parameters.get("prefix", ""),
        delimiter=parameters.get("delimiter", ""),
        after=after,
        limit=limit,
    )
    return page, limit


def object_columns(page: Page, owner: Owner | None) -> ObjectColumns:
    """Return what a document shows of a page's objects."""
    records = page.records
    return ObjectColumns(
        page.keys,
        [record.modified_ns for record in records],
        [record.etag for record in records],
        [record.size_bytes for record in records],
        page.storage_classes,
        [next(iter(record.checksums)) if record.checksums else None for record in records],
        [owner] * len(records),
    )


def version_columns(versions: Sequence[ListedVersion]) -> VersionColumns:
    """Return what a document shows of versions."""
    records = [version.record for version in versions]
    return VersionColumns(
        [version.key for version in versions],
        [record.version_id for record in records],
        [version.is_latest for version in versions],
        [record.modified_ns for record in records],
        [record.delete_marker for record in records],
        [record.etag for record in records],
        [record.size_bytes for record in records],
        [record.attributes.storage_class for record in records],
        [OWNER] * len(records),
    )


def _token(after: str) -> str:
    # Opaque to clients, and safe in a URL and in XML whatever the key holds.
    return base64.urlsafe_b64encode(after.encode()).decode("ascii")


def _parse_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (UnicodeError, binascii.Error) as error:
        raise S3Error(
            "InvalidArgument",
            "The continuation token provided is incorrect",
            ArgumentName="continuation-token",
        ) from error
