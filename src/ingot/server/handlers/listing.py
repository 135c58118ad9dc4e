"""ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from ingot.base.limits import LIST_KEYS_MAX
from ingot.s3.documents import listing as documents
from ingot.s3.documents.common import Owner
from ingot.s3.errors import S3Error
from ingot.s3.headers import parse_count
from ingot.server.handlers.common import OWNER
from ingot.server.request import Request
from ingot.server.response import Response, document
from ingot.server.service import Service
from ingot.store.pages import ListedObject, ListedVersion, Page

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
                entries=_entries(page.objects, OWNER),
                common_prefixes=page.prefixes,
                marker=marker,
                # Amazon says it only with a delimiter; saying it always spares clients a rule.
                next_marker=page.next_after if page.truncated else None,
            )
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
                entries=_entries(page.objects, OWNER if with_owner else None),
                common_prefixes=page.prefixes,
                continuation_token=token,
                next_continuation_token=_token(page.next_after) if page.truncated else None,
                start_after=start_after,
            )
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
                versions=[_version(listed) for listed in page.versions],
                common_prefixes=page.prefixes,
                key_marker=key_marker,
                version_id_marker=version_id_marker,
                next_key_marker=page.next_key if page.truncated else None,
                next_version_id_marker=(page.next_version_id or None) if page.truncated else None,
            )
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


def _entries(objects: Sequence[ListedObject], owner: Owner | None) -> list[documents.Entry]:
    return [
        documents.Entry(
            listed.key,
            (record := listed.record).modified_ns,
            record.etag,
            record.size_bytes,
            listed.storage_class,
            owner,
            next(iter(record.checksums)) if record.checksums else None,
        )
        for listed in objects
    ]


def _version(listed: ListedVersion) -> documents.VersionEntry:
    record = listed.record
    return documents.VersionEntry(
        key=listed.key,
        version_id=record.version_id,
        is_latest=listed.is_latest,
        modified_ns=record.modified_ns,
        is_delete_marker=record.delete_marker,
        etag=record.etag,
        size_bytes=record.size_bytes,
        storage_class=record.attributes.storage_class,
        owner=OWNER,
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
