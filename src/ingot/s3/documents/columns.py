"""Objects and versions of a listing column by column, and how they are written.

A page has a thousand entries. What is done for each of them takes most of the time of a page, so
here it is done for columns: what all have in common is written once, the rest is joined once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from ingot.s3 import xml
from ingot.s3.dates import format_all_iso8601
from ingot.s3.documents.common import Owner, encode_names, render_owner

_T = TypeVar("_T")
_LATEST: Final = {latest: xml.flag("IsLatest", value=latest) for latest in (False, True)}


class ObjectColumns(NamedTuple):
    """Objects of a listing; each column has one value for each of them, in order.

    Attributes:
        keys: plain; they are encoded in the document.
        modified_ns: since the epoch.
        etags: without quotes.
        size_bytes: the bodies' sizes.
        storage_classes: as S3 calls them.
        checksum_algorithms: `None` for an object without a checksum.
        owners: `None` where none is to be shown.
    """

    keys: Sequence[str]
    modified_ns: Sequence[int]
    etags: Sequence[str]
    size_bytes: Sequence[int]
    storage_classes: Sequence[str]
    checksum_algorithms: Sequence[str | None]
    owners: Sequence[Owner | None]


class VersionColumns(NamedTuple):
    """Versions of a listing, as above; of delete markers ETag, size and class are not shown."""

    keys: Sequence[str]
    version_ids: Sequence[str]
    latest: Sequence[bool]
    modified_ns: Sequence[int]
    delete_markers: Sequence[bool]
    etags: Sequence[str]
    size_bytes: Sequence[int]
    storage_classes: Sequence[str]
    owners: Sequence[Owner | None]


def render_objects(columns: ObjectColumns, encoding_type: str | None) -> list[str]:
    """Return the pieces of the `Contents` elements, to be joined.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    return xml.rows(
        len(columns.keys),
        "<Contents><Key>",
        encode_names(columns.keys, encoding_type),
        "</Key><LastModified>",
        format_all_iso8601(columns.modified_ns),
        "</LastModified><ETag>&quot;",
        _escaped(columns.etags),
        "&quot;</ETag>",
        _written(columns.checksum_algorithms, lambda name: xml.leaf("ChecksumAlgorithm", name)),
        "<Size>",
        [f"{size_bytes}" for size_bytes in columns.size_bytes],
        "</Size>",
        _written(columns.storage_classes, _render_class),
        _written(columns.owners, render_owner),
        "</Contents>",
    )


def render_versions(columns: VersionColumns, encoding_type: str | None) -> list[str]:
    """Return the pieces of the `Version` and `DeleteMarker` elements, to be joined.

    Raises:
        S3Error: `InvalidArgument` for an unknown encoding type.
    """
    names = ["DeleteMarker" if marker else "Version" for marker in columns.delete_markers]
    return xml.rows(
        len(columns.keys),
        _written(names, lambda name: f"<{name}><Key>"),
        encode_names(columns.keys, encoding_type),
        "</Key><VersionId>",
        _escaped(columns.version_ids),
        "</VersionId>",
        _written(columns.latest, _LATEST.__getitem__),
        "<LastModified>",
        format_all_iso8601(columns.modified_ns),
        "</LastModified>",
        [
            ""
            if marker
            else f"<ETag>&quot;{etag}&quot;</ETag><Size>{size_bytes}</Size>{_render_class(name)}"
            for marker, etag, size_bytes, name in zip(
                columns.delete_markers,
                _escaped(columns.etags),
                columns.size_bytes,
                columns.storage_classes,
                strict=True,
            )
        ],
        _written(columns.owners, render_owner),
        _written(names, lambda name: f"</{name}>"),
    )


def _render_class(storage_class: str) -> str:
    return xml.leaf("StorageClass", storage_class)


def _written(values: Sequence[_T], write: Callable[[_T], str]) -> str | list[str]:
    """Write a column: each of its values once, and a text for all if there is but one."""
    if values and values.count(values[0]) == len(values):
        return write(values[0])
    written = {value: write(value) for value in set(values)}
    return [written[value] for value in values]


def _escaped(texts: Sequence[str]) -> Sequence[str]:
    return texts if xml.is_plain("".join(texts)) else [xml.escape(text) for text in texts]
