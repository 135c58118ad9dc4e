"""The request and the answer of DeleteObjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.base.limits import DELETE_KEYS_MAX
from ingot.s3 import xml
from ingot.s3.documents.common import parse_bool
from ingot.s3.errors import S3Error


class ObjectIdentifier(NamedTuple):
    """One object to delete, and what must be true of it; the conditions are as written."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    size: str | None = None
    modified: str | None = None


class DeleteRequest(NamedTuple):
    """The body of DeleteObjects; a quiet answer lists failures only."""

    objects: Sequence[ObjectIdentifier]
    quiet: bool = False


class Deleted(NamedTuple):
    """One object that is gone, or got a delete marker."""

    key: str
    version_id: str | None = None
    delete_marker: bool = False
    delete_marker_version_id: str | None = None


class DeleteFailure(NamedTuple):
    """One object that could not be deleted."""

    key: str
    code: str
    message: str
    version_id: str | None = None


class DeleteResult(NamedTuple):
    """The answer of DeleteObjects."""

    deleted: Sequence[Deleted]
    errors: Sequence[DeleteFailure]


def render_request(request: DeleteRequest) -> bytes:
    """Write Delete."""
    return xml.document(
        "Delete",
        xml.flag("Quiet", value=True) if request.quiet else "",
        *(
            xml.node(
                "Object",
                xml.leaf("Key", item.key),
                xml.leaf("VersionId", item.version_id),
                xml.leaf("ETag", item.etag),
                xml.leaf("LastModifiedTime", item.modified),
                xml.leaf("Size", item.size),
            )
            for item in request.objects
        ),
    )


def parse_request(data: bytes) -> DeleteRequest:
    """Read Delete.

    Raises:
        S3Error: `MalformedXML`, also for no object or more than 1,000.
    """
    root = xml.parse(data, "Delete")
    objects = [
        ObjectIdentifier(
            element.require("Key"),
            element.get("VersionId") or None,
            element.optional("ETag"),
            element.optional("Size"),
            element.optional("LastModifiedTime"),
        )
        for element in root.all("Object")
    ]
    if not 1 <= len(objects) <= DELETE_KEYS_MAX:
        raise S3Error("MalformedXML", f"A request deletes 1 to {DELETE_KEYS_MAX} objects.")
    return DeleteRequest(objects, parse_bool(root, "Quiet"))


def render_result(result: DeleteResult) -> bytes:
    """Write DeleteResult."""
    return xml.document(
        "DeleteResult",
        *(
            xml.node(
                "Deleted",
                xml.leaf("Key", item.key),
                xml.leaf("VersionId", item.version_id),
                xml.flag("DeleteMarker", value=True) if item.delete_marker else "",
                xml.leaf("DeleteMarkerVersionId", item.delete_marker_version_id),
            )
            for item in result.deleted
        ),
        *(
            xml.node(
                "Error",
                xml.leaf("Key", item.key),
                xml.leaf("VersionId", item.version_id),
                xml.leaf("Code", item.code),
                xml.leaf("Message", item.message),
            )
            for item in result.errors
        ),
    )


def parse_result(data: bytes) -> DeleteResult:
    """Read DeleteResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "DeleteResult", lenient=True)
    return DeleteResult(
        [
            Deleted(
                element.require("Key"),
                element.optional("VersionId"),
                parse_bool(element, "DeleteMarker"),
                element.optional("DeleteMarkerVersionId"),
            )
            for element in root.all("Deleted")
        ],
        [
            DeleteFailure(
                element.get("Key"),
                element.get("Code"),
                element.get("Message"),
                element.optional("VersionId"),
            )
            for element in root.all("Error")
        ],
    )
