"""The answers of ListObjects, ListObjectsV2 and ListObjectVersions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from ingot.s3 import xml
from ingot.s3.dates import format_iso8601
from ingot.s3.documents import plainlist
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
    render_owner,
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

# More than there are storage classes and owners in one listing.
RENDERED_MAX = 64
_LATEST = {latest: xml.flag("IsLatest", value=latest) for latest in (False, True)}


def render_objects(page: ObjectList) -> bytes:
    """Write the ListBucketResult of ListObjects.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document(
        "ListBucketResult",
        _render_head(page),
        xml.leaf("Marker", encode_name(page.marker, coding)),
        xml.leaf("NextMarker", encode_name(page.next_marker, coding)),
        _render_entries(page.entries, coding),
        _render_prefixes(page),
    )


def render_objects_v2(page: ObjectListV2) -> bytes:
    """Write the ListBucketResult of ListObjectsV2.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document(
        "ListBucketResult",
        _render_head(page),
        xml.leaf("KeyCount", len(page.entries) + len(page.common_prefixes)),
        xml.leaf("ContinuationToken", page.continuation_token),
        xml.leaf("NextContinuationToken", page.next_continuation_token),
        xml.leaf("StartAfter", encode_name(page.start_after, coding)),
        _render_entries(page.entries, coding),
        _render_prefixes(page),
    )


def render_versions(page: VersionList) -> bytes:
    """Write ListVersionsResult.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    coding = page.encoding_type
    return xml.document(
        "ListVersionsResult",
        _render_head(page),
        xml.leaf("KeyMarker", encode_name(page.key_marker, coding)),
        xml.leaf("VersionIdMarker", page.version_id_marker),
        xml.leaf("NextKeyMarker", encode_name(page.next_key_marker, coding)),
        xml.leaf("NextVersionIdMarker", page.next_version_id_marker),
        *(_render_version(version, coding) for version in page.versions),
        _render_prefixes(page),
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


def _render_entries(entries: Sequence[Entry], coding: str | None) -> str:
    # A page of 1,000 is rendered on the server's event loop: one f-string each.
    names = encode_names([entry.key for entry in entries], coding)
    etags: Sequence[str] = [entry.etag for entry in entries]
    if not xml.is_plain("".join(etags)):
        etags = [xml.escape(etag) for etag in etags]
    return "".join(
        [
            f"<Contents><Key>{name}</Key>"
            f"<LastModified>{format_iso8601(entry.modified_ns)}</LastModified>"
            f"<ETag>&quot;{etag}&quot;</ETag>"
            f"{_algorithm(entry.checksum_algorithm)}<Size>{entry.size_bytes}</Size>"
            f"{_class_and_owner(entry.storage_class, entry.owner)}</Contents>"
            for name, etag, entry in zip(names, etags, entries, strict=True)
        ]
    )


# What the objects of a page have in common is rendered once.
@lru_cache(RENDERED_MAX)
def _algorithm(name: str | None) -> str:
    return xml.leaf("ChecksumAlgorithm", name)


@lru_cache(RENDERED_MAX)
def _class_and_owner(storage_class: str, owner: Owner | None) -> str:
    return xml.leaf("StorageClass", storage_class) + render_owner(owner)


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


def _render_version(version: VersionEntry, coding: str | None) -> str:
    body = (
        f"<Key>{xml.escape(encode_name(version.key, coding) or '')}</Key>"
        f"<VersionId>{xml.escape(version.version_id)}</VersionId>"
        f"{_LATEST[version.is_latest]}"
        f"<LastModified>{format_iso8601(version.modified_ns)}</LastModified>"
    )
    if version.is_delete_marker:
        return f"<DeleteMarker>{body}{render_owner(version.owner)}</DeleteMarker>"
    return (
        f"<Version>{body}<ETag>&quot;{xml.escape(version.etag)}&quot;</ETag>"
        f"<Size>{version.size_bytes}</Size>"
        f"{_class_and_owner(version.storage_class, version.owner)}</Version>"
    )


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
    return "".join([f"<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>" for name in names])


def _parse_prefixes(root: xml.Element, coding: str | None) -> list[str]:
    return [decode_name(child.get("Prefix"), coding) for child in root.all("CommonPrefixes")]


def _optional_name(root: xml.Element, name: str, coding: str | None) -> str | None:
    text = root.optional(name)
    return None if text is None else decode_name(text, coding)
