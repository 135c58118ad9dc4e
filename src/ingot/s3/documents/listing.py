"""The answers of ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ingot.s3 import xml
from ingot.s3.documents import plainlist
from ingot.s3.documents.columns import ObjectColumns, VersionColumns
from ingot.s3.documents.columns import render_objects as write_objects
from ingot.s3.documents.columns import render_versions as write_versions
from ingot.s3.documents.common import (
    Owner,
    decode_name,
    decode_names,
    encode_name,
    encode_names,
    parse_bool,
    parse_instant,
    parse_int,
    parse_owner,
)
from ingot.s3.documents.plainlist import PlainObjects
from ingot.s3.etags import unquote_etag
from ingot.s3.headers import STANDARD


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One object of a list; `etag` is without quotes, `modified_ns` since the epoch."""

    key: str
    modified_ns: int
    etag: str
    size_bytes: int
    storage_class: str = STANDARD
    owner: Owner | None = None
    checksum_algorithm: str | None = None


class VersionEntry(NamedTuple):
    """One version of a list; a delete marker has no ETag and no size."""

    key: str
    version_id: str
    is_latest: bool
    modified_ns: int
    is_delete_marker: bool = False
    etag: str = ""
    size_bytes: int = 0
    storage_class: str = STANDARD
    owner: Owner | None = None


class ObjectList(NamedTuple):
    """A page of ListObjects; names are plain here and encoded in the document."""

    bucket: str
    prefix: str
    delimiter: str | None
    max_keys: int
    encoding_type: str | None
    is_truncated: bool
    entries: Sequence[Entry]
    common_prefixes: Sequence[str]
    marker: str = ""
    next_marker: str | None = None


class ObjectListV2(NamedTuple):
    """A page of ListObjectsV2; names are plain here and encoded in the document."""

    bucket: str
    prefix: str
    delimiter: str | None
    max_keys: int
    encoding_type: str | None
    is_truncated: bool
    entries: Sequence[Entry]
    common_prefixes: Sequence[str]
    continuation_token: str | None = None
    next_continuation_token: str | None = None
    start_after: str | None = None


class VersionList(NamedTuple):
    """A page of ListObjectVersions; names are plain here and encoded in the document."""

    bucket: str
    prefix: str
    delimiter: str | None
    max_keys: int
    encoding_type: str | None
    is_truncated: bool
    versions: Sequence[VersionEntry]
    common_prefixes: Sequence[str]
    key_marker: str = ""
    version_id_marker: str = ""
    next_key_marker: str | None = None
    next_version_id_marker: str | None = None


_Page = ObjectList | ObjectListV2 | VersionList


def render_objects(page: ObjectList, columns: ObjectColumns | None = None) -> bytes:
    """Write the ListBucketResult of ListObjects.

    Args:
        page: what the document says.
        columns: the objects, in the place of the page's entries.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document_of(
        "ListBucketResult",
        [
            _render_head(page),
            xml.leaf("Marker", encode_name(page.marker, coding)),
            xml.leaf("NextMarker", encode_name(page.next_marker, coding)),
            *write_objects(columns or _object_columns(page.entries), coding),
            _render_prefixes(page),
        ],
    )


def render_objects_v2(page: ObjectListV2, columns: ObjectColumns | None = None) -> bytes:
    """Write the ListBucketResult of ListObjectsV2.

    Args:
        page: what the document says.
        columns: the objects, in the place of the page's entries.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    columns = columns or _object_columns(page.entries)
    return xml.document_of(
        "ListBucketResult",
        [
            _render_head(page),
            xml.leaf("KeyCount", len(columns.keys) + len(page.common_prefixes)),
            xml.leaf("ContinuationToken", page.continuation_token),
            xml.leaf("NextContinuationToken", page.next_continuation_token),
            xml.leaf("StartAfter", encode_name(page.start_after, coding)),
            *write_objects(columns, coding),
            _render_prefixes(page),
        ],
    )


def render_versions(page: VersionList, columns: VersionColumns | None = None) -> bytes:
    """Write ListVersionsResult.

    Args:
        page: what the document says.
        columns: the versions, in the place of those of the page.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document_of(
        "ListVersionsResult",
        [
            _render_head(page),
            xml.leaf("KeyMarker", encode_name(page.key_marker, coding)),
            xml.leaf("VersionIdMarker", page.version_id_marker),
            xml.leaf("NextKeyMarker", encode_name(page.next_key_marker, coding)),
            xml.leaf("NextVersionIdMarker", page.next_version_id_marker),
            *write_versions(columns or _version_columns(page.versions), coding),
            _render_prefixes(page),
        ],
    )


def parse_objects(data: bytes) -> ObjectList:
    """Read the ListBucketResult of ListObjects.

    Raises:
        S3Error: `MalformedXML`.
    """
    root, entries = _parse_listing(data)
    coding = root.optional("EncodingType")
    return ObjectList(
        *_parse_head(root, coding),
        entries,
        _parse_prefixes(root, coding),
        decode_name(root.get("Marker"), coding),
        _optional_name(root, "NextMarker", coding),
    )


def parse_objects_v2(data: bytes) -> ObjectListV2:
    """Read the ListBucketResult of ListObjectsV2.

    Raises:
        S3Error: `MalformedXML`.
    """
    root, entries = _parse_listing(data)
    coding = root.optional("EncodingType")
    return ObjectListV2(
        *_parse_head(root, coding),
        entries,
        _parse_prefixes(root, coding),
        root.optional("ContinuationToken"),
        root.optional("NextContinuationToken"),
        _optional_name(root, "StartAfter", coding),
    )


def parse_versions(data: bytes) -> VersionList:
    """Read ListVersionsResult.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "ListVersionsResult", lenient=True)
    coding = root.optional("EncodingType")
    return VersionList(
        *_parse_head(root, coding),
        [
            _parse_version(child, coding)
            for child in root.children
            if child.name in {"Version", "DeleteMarker"}
        ],
        _parse_prefixes(root, coding),
        decode_name(root.get("KeyMarker"), coding),
        root.get("VersionIdMarker"),
        _optional_name(root, "NextKeyMarker", coding),
        root.optional("NextVersionIdMarker"),
    )


def _render_head(page: _Page) -> str:
    coding = page.encoding_type
    return (
        xml.leaf("Name", page.bucket)
        + xml.leaf("Prefix", encode_name(page.prefix, coding))
        + xml.leaf("Delimiter", encode_name(page.delimiter, coding))
        + xml.leaf("MaxKeys", page.max_keys)
        + xml.leaf("EncodingType", coding)
        + xml.flag("IsTruncated", value=page.is_truncated)
    )


def _parse_head(
    root: xml.Element, coding: str | None
) -> tuple[str, str, str | None, int, str | None, bool]:
    return (
        root.get("Name"),
        decode_name(root.get("Prefix"), coding),
        _optional_name(root, "Delimiter", coding),
        parse_int(root, "MaxKeys", 1000),
        coding,
        parse_bool(root, "IsTruncated"),
    )


def _object_columns(entries: Sequence[Entry]) -> ObjectColumns:
    rows = [msgspec.structs.astuple(entry) for entry in entries]
    keys, modified_ns, etags, sizes, classes, owners, algorithms = _columns(rows, 7)
    return ObjectColumns(keys, modified_ns, etags, sizes, classes, algorithms, owners)


def _version_columns(versions: Sequence[VersionEntry]) -> VersionColumns:
    return VersionColumns(*_columns(versions, len(VersionColumns._fields)))


def _columns(rows: Sequence[tuple[Any, ...]], count: int) -> list[list[Any]]:
    return [[row[index] for row in rows] for index in range(count)]


def _parse_listing(data: bytes) -> tuple[xml.Element, list[Entry]]:
    plain = plainlist.split(data)
    if plain is not None:
        root = xml.parse(plain.rest, "ListBucketResult", lenient=True)
        # They stood where objects stand, and nowhere else.
        if [len(element.children) for element in root.all("Contents")] == [0]:
            return root, _plain_entries(plain, root.optional("EncodingType"))
    root = xml.parse(data, "ListBucketResult", lenient=True)
    return root, _parse_entries(root, root.optional("EncodingType"))


def _plain_entries(plain: PlainObjects, coding: str | None) -> list[Entry]:
    return list(
        map(
            Entry,
            decode_names(plain.keys, coding),
            plain.modified_ns,
            plain.etags,
            plain.sizes_bytes,
            [storage_class or STANDARD for storage_class in plain.classes],
            plain.owners,
            plain.algorithms,
        )
    )


def _parse_entries(root: xml.Element, coding: str | None) -> list[Entry]:
    return [
        Entry(
            decode_name(element.require("Key"), coding),
            parse_instant(element, "LastModified"),
            unquote_etag(element.get("ETag")),
            parse_int(element, "Size"),
            element.get("StorageClass", STANDARD),
            parse_owner(element),
            element.optional("ChecksumAlgorithm"),
        )
        for element in root.all("Contents")
    ]


def _parse_version(element: xml.Element, coding: str | None) -> VersionEntry:
    return VersionEntry(
        decode_name(element.require("Key"), coding),
        element.get("VersionId", "null"),
        parse_bool(element, "IsLatest"),
        parse_instant(element, "LastModified"),
        element.name == "DeleteMarker",
        unquote_etag(element.get("ETag")),
        parse_int(element, "Size", 0),
        element.get("StorageClass", STANDARD),
        parse_owner(element),
    )


def _render_prefixes(page: _Page) -> str:
    names = encode_names(page.common_prefixes, page.encoding_type)
    return "".join(
        xml.rows(len(names), "<CommonPrefixes><Prefix>", names, "</Prefix></CommonPrefixes>")
    )


def _parse_prefixes(root: xml.Element, coding: str | None) -> list[str]:
    return [decode_name(child.get("Prefix"), coding) for child in root.all("CommonPrefixes")]


def _optional_name(root: xml.Element, name: str, coding: str | None) -> str | None:
    text = root.optional(name)
    return None if text is None else decode_name(text, coding)
