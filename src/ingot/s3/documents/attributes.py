"""The answer of GetObjectAttributes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.checksums import ChecksumValue
from ingot.s3.documents.common import (
    parse_bool,
    parse_checksum,
    parse_int,
    render_checksum,
)


class AttributePart(NamedTuple):
    """A part of an object that was uploaded in parts."""

    number: int
    size_bytes: int
    checksum: ChecksumValue | None = None


class AttributeParts(NamedTuple):
    """A page of an object's parts; `total` counts those of all pages."""

    total: int
    part_number_marker: int
    next_part_number_marker: int
    max_parts: int
    is_truncated: bool
    parts: Sequence[AttributePart]


class ObjectAttributes(NamedTuple):
    """What was asked for; None stands for what was not, or does not exist."""

    etag: str | None = None
    checksum: ChecksumValue | None = None
    parts: AttributeParts | None = None
    storage_class: str | None = None
    size_bytes: int | None = None


def render(attributes: ObjectAttributes) -> bytes:
    """Write GetObjectAttributesResponse; its ETag has no quotes."""
    checksum = render_checksum(attributes.checksum)
    return xml.document(
        "GetObjectAttributesResponse",
        xml.leaf("ETag", attributes.etag),
        xml.node("Checksum", checksum) if checksum else "",
        _render_parts(attributes.parts),
        xml.leaf("StorageClass", attributes.storage_class),
        xml.leaf("ObjectSize", attributes.size_bytes),
    )


def parse(data: bytes) -> ObjectAttributes:
    """Read GetObjectAttributesResponse.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "GetObjectAttributesResponse", lenient=True)
    checksum = root.find("Checksum")
    parts = root.find("ObjectParts")
    return ObjectAttributes(
        root.optional("ETag"),
        None if checksum is None else parse_checksum(checksum),
        None if parts is None else _parse_parts(parts),
        root.optional("StorageClass"),
        None if root.find("ObjectSize") is None else parse_int(root, "ObjectSize"),
    )


def _render_parts(page: AttributeParts | None) -> str:
    if page is None:
        return ""
    return xml.node(
        "ObjectParts",
        xml.leaf("PartsCount", page.total),
        xml.leaf("PartNumberMarker", page.part_number_marker),
        xml.leaf("NextPartNumberMarker", page.next_part_number_marker),
        xml.leaf("MaxParts", page.max_parts),
        xml.flag("IsTruncated", value=page.is_truncated),
        *(
            xml.node(
                "Part",
                xml.leaf("PartNumber", part.number),
                xml.leaf("Size", part.size_bytes),
                render_checksum(part.checksum),
            )
            for part in page.parts
        ),
    )


def _parse_parts(element: xml.Element) -> AttributeParts:
    return AttributeParts(
        parse_int(element, "PartsCount"),
        parse_int(element, "PartNumberMarker", 0),
        parse_int(element, "NextPartNumberMarker", 0),
        parse_int(element, "MaxParts", 0),
        parse_bool(element, "IsTruncated"),
        [
            AttributePart(
                parse_int(part, "PartNumber"), parse_int(part, "Size", 0), parse_checksum(part)
            )
            for part in element.all("Part")
        ],
    )
