"""Documents of multipart uploads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.base.limits import PARTS_MAX
from ingot.s3 import xml
from ingot.s3.checksums import ChecksumType, ChecksumValue
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.common import (
    Owner,
    decode_name,
    encode_name,
    parse_bool,
    parse_checksum,
    parse_checksum_type,
    parse_instant,
    parse_int,
    parse_owner,
    render_checksum,
    render_owner,
)
from ingot.s3.errors import S3Error
from ingot.s3.etags import quote_etag, unquote_etag


class CreatedUpload(NamedTuple):
    """The answer of CreateMultipartUpload."""

    bucket: str
    key: str
    upload_id: str


class CompletedPart(NamedTuple):
    """One part as the client lists it to complete an upload."""

    number: int
    etag: str
    checksum: ChecksumValue | None = None


class CompletedUpload(NamedTuple):
    """The answer of CompleteMultipartUpload; the version is in its header."""

    location: str
    bucket: str
    key: str
    etag: str
    checksum: ChecksumValue | None = None
    version_id: str | None = None


class Part(NamedTuple):
    """One part of a list."""

    number: int
    modified_ns: int
    etag: str
    size_bytes: int
    checksum: ChecksumValue | None = None


class PartList(NamedTuple):
    """A page of ListParts."""

    bucket: str
    key: str
    upload_id: str
    part_number_marker: int
    next_part_number_marker: int | None
    max_parts: int
    is_truncated: bool
    parts: Sequence[Part]
    owner: Owner | None = None
    storage_class: str = "STANDARD"
    checksum_algorithm: str | None = None
    checksum_type: ChecksumType | None = None


class Upload(NamedTuple):
    """One unfinished upload of a list."""

    key: str
    upload_id: str
    initiated_ns: int
    owner: Owner | None = None
    storage_class: str = "STANDARD"
    checksum_algorithm: str | None = None
    checksum_type: ChecksumType | None = None


class UploadList(NamedTuple):
    """A page of ListMultipartUploads; names are plain here and encoded in the document."""

    bucket: str
    prefix: str
    delimiter: str | None
    max_uploads: int
    encoding_type: str | None
    is_truncated: bool
    uploads: Sequence[Upload]
    common_prefixes: Sequence[str] = ()
    key_marker: str = ""
    upload_id_marker: str = ""
    next_key_marker: str | None = None
    next_upload_id_marker: str | None = None


def render_created(result: CreatedUpload) -> bytes:
    """Write InitiateMultipartUploadResult."""
    return xml.document(
        "InitiateMultipartUploadResult",
        xml.leaf("Bucket", result.bucket),
        xml.leaf("Key", result.key),
        xml.leaf("UploadId", result.upload_id),
    )


def parse_created(data: bytes) -> CreatedUpload:
    """Read InitiateMultipartUploadResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "InitiateMultipartUploadResult", lenient=True)
    return CreatedUpload(root.get("Bucket"), root.get("Key"), root.require("UploadId"))


def render_complete(parts: Sequence[CompletedPart]) -> bytes:
    """Write CompleteMultipartUpload, the body of the request."""
    return xml.document(
        "CompleteMultipartUpload",
        *(
            xml.node(
                "Part",
                xml.leaf("PartNumber", part.number),
                xml.leaf("ETag", quote_etag(part.etag)),
                render_checksum(part.checksum),
            )
            for part in parts
        ),
    )


def parse_complete(data: bytes) -> list[CompletedPart]:
    """Read CompleteMultipartUpload in the order the client wrote.

    Raises:
        S3Error: `MalformedXML`, also for no part or more than 10,000.
    """
    root = xml.parse(data, "CompleteMultipartUpload")
    parts = [
        CompletedPart(
            parse_int(element, "PartNumber"),
            unquote_etag(element.require("ETag")),
            parse_checksum(element),
        )
        for element in root.all("Part")
    ]
    if not 1 <= len(parts) <= PARTS_MAX:
        raise S3Error("MalformedXML", f"An upload has 1 to {PARTS_MAX} parts.")
    return parts


def render_completed(result: CompletedUpload) -> bytes:
    """Write CompleteMultipartUploadResult."""
    return xml.document(
        "CompleteMultipartUploadResult",
        xml.leaf("Location", result.location),
        xml.leaf("Bucket", result.bucket),
        xml.leaf("Key", result.key),
        xml.leaf("ETag", quote_etag(result.etag)),
        render_checksum(result.checksum),
    )


def parse_completed(data: bytes) -> CompletedUpload:
    """Read CompleteMultipartUploadResult.

    Raises:
        S3Error: `MalformedXML`; a late failure comes as an Error document with status 200, which
            is another root.
    """
    root = xml.parse(data, "CompleteMultipartUploadResult", lenient=True)
    return CompletedUpload(
        root.get("Location"),
        root.get("Bucket"),
        root.get("Key"),
        unquote_etag(root.get("ETag")),
        parse_checksum(root),
    )


def render_parts(page: PartList) -> bytes:
    """Write ListPartsResult."""
    return xml.document(
        "ListPartsResult",
        xml.leaf("Bucket", page.bucket),
        xml.leaf("Key", page.key),
        xml.leaf("UploadId", page.upload_id),
        render_owner(page.owner, "Initiator"),
        render_owner(page.owner),
        xml.leaf("StorageClass", page.storage_class),
        xml.leaf("ChecksumAlgorithm", page.checksum_algorithm),
        xml.leaf("ChecksumType", page.checksum_type),
        xml.leaf("PartNumberMarker", page.part_number_marker),
        xml.leaf("NextPartNumberMarker", page.next_part_number_marker),
        xml.leaf("MaxParts", page.max_parts),
        xml.flag("IsTruncated", value=page.is_truncated),
        *(
            xml.node(
                "Part",
                xml.leaf("PartNumber", part.number),
                xml.leaf("LastModified", format_iso8601(part.modified_ns)),
                xml.leaf("ETag", quote_etag(part.etag)),
                xml.leaf("Size", part.size_bytes),
                render_checksum(part.checksum),
            )
            for part in page.parts
        ),
    )


def parse_parts(data: bytes) -> PartList:
    """Read ListPartsResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "ListPartsResult", lenient=True)
    following = root.get("NextPartNumberMarker")
    return PartList(
        root.get("Bucket"),
        root.get("Key"),
        root.get("UploadId"),
        parse_int(root, "PartNumberMarker", 0),
        parse_int(root, "NextPartNumberMarker") if following else None,
        parse_int(root, "MaxParts", 1000),
        parse_bool(root, "IsTruncated"),
        [
            Part(
                parse_int(element, "PartNumber"),
                parse_instant(element, "LastModified"),
                unquote_etag(element.get("ETag")),
                parse_int(element, "Size"),
                parse_checksum(element),
            )
            for element in root.all("Part")
        ],
        parse_owner(root),
        root.get("StorageClass", "STANDARD"),
        root.optional("ChecksumAlgorithm"),
        parse_checksum_type(root.optional("ChecksumType")),
    )


def render_uploads(page: UploadList) -> bytes:
    """Write ListMultipartUploadsResult.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document(
        "ListMultipartUploadsResult",
        xml.leaf("Bucket", page.bucket),
        xml.leaf("KeyMarker", encode_name(page.key_marker, coding)),
        xml.leaf("UploadIdMarker", page.upload_id_marker),
        xml.leaf("NextKeyMarker", encode_name(page.next_key_marker, coding)),
        xml.leaf("NextUploadIdMarker", page.next_upload_id_marker),
        xml.leaf("Delimiter", encode_name(page.delimiter, coding)),
        xml.leaf("Prefix", encode_name(page.prefix, coding)),
        xml.leaf("EncodingType", coding),
        xml.leaf("MaxUploads", page.max_uploads),
        xml.flag("IsTruncated", value=page.is_truncated),
        *(
            xml.node(
                "Upload",
                xml.leaf("Key", encode_name(upload.key, coding)),
                xml.leaf("UploadId", upload.upload_id),
                render_owner(upload.owner, "Initiator"),
                render_owner(upload.owner),
                xml.leaf("StorageClass", upload.storage_class),
                xml.leaf("Initiated", format_iso8601(upload.initiated_ns)),
                xml.leaf("ChecksumAlgorithm", upload.checksum_algorithm),
                xml.leaf("ChecksumType", upload.checksum_type),
            )
            for upload in page.uploads
        ),
        *(
            xml.node("CommonPrefixes", xml.leaf("Prefix", encode_name(prefix, coding)))
            for prefix in page.common_prefixes
        ),
    )


def parse_uploads(data: bytes) -> UploadList:
    """Read ListMultipartUploadsResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "ListMultipartUploadsResult", lenient=True)
    coding = root.optional("EncodingType")

    def name(tag: str) -> str | None:
        text = root.optional(tag)
        return None if text is None else decode_name(text, coding)

    return UploadList(
        root.get("Bucket"),
        name("Prefix") or "",
        name("Delimiter"),
        parse_int(root, "MaxUploads", 1000),
        coding,
        parse_bool(root, "IsTruncated"),
        [
            Upload(
                decode_name(element.require("Key"), coding),
                element.require("UploadId"),
                parse_instant(element, "Initiated"),
                parse_owner(element),
                element.get("StorageClass", "STANDARD"),
                element.optional("ChecksumAlgorithm"),
                parse_checksum_type(element.optional("ChecksumType")),
            )
            for element in root.all("Upload")
        ],
        [decode_name(child.get("Prefix"), coding) for child in root.all("CommonPrefixes")],
        name("KeyMarker") or "",
        root.get("UploadIdMarker"),
        name("NextKeyMarker"),
        root.optional("NextUploadIdMarker"),
    )
