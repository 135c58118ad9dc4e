"""The answers of CopyObject and UploadPartCopy."""

from __future__ import annotations

from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.checksums import ChecksumValue
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.common import parse_checksum, parse_instant, render_checksum
from ingot.s3.etags import quote_etag, unquote_etag


class CopyResult(NamedTuple):
    """What a copy made; the version is in the answer's header."""

    etag: str
    modified_ns: int
    checksum: ChecksumValue | None = None
    version_id: str | None = None


def render(result: CopyResult) -> bytes:
    """Write CopyObjectResult."""
    return xml.document("CopyObjectResult", _content(result))


def render_part(result: CopyResult) -> bytes:
    """Write CopyPartResult, the answer of UploadPartCopy."""
    return xml.document("CopyPartResult", _content(result))


def parse(data: bytes) -> CopyResult:
    """Read CopyObjectResult.

    Raises:
        S3Error: `MalformedXML`; a late failure comes as an Error document with status 200, which
            is another root.
    """
    return _parsed(data, "CopyObjectResult")


def parse_part(data: bytes) -> CopyResult:
    """Read CopyPartResult.

    Raises:
        S3Error: as `parse`.
    """
    return _parsed(data, "CopyPartResult")


def _parsed(data: bytes, root_name: str) -> CopyResult:
    root = xml.parse(data, root_name, lenient=True)
    return CopyResult(
        unquote_etag(root.get("ETag")), parse_instant(root, "LastModified"), parse_checksum(root)
    )


def _content(result: CopyResult) -> str:
    return (
        xml.leaf("ETag", quote_etag(result.etag))
        + xml.leaf("LastModified", format_iso8601(result.modified_ns))
        + render_checksum(result.checksum)
    )
