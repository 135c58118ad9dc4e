"""Conditional requests: the four If-… headers, and what they say about an object.

Sources: RFC 9110 §13; Amazon S3 API reference, GetObject, CopyObject and PutObject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ingot.s3.dates import NS_PER_S, parse_http_date, parse_iso8601
from ingot.s3.errors import S3Error
from ingot.s3.etags import unquote_etag

ANY = "*"


class Conditions(NamedTuple):
    """What a request asks of the object it meets; an empty one asks nothing.

    Attributes:
        if_match: ETags without quotes, one of which must be the object's; `*` is any object.
        if_none_match: ETags none of which may be the object's; `*` means there must be no object.
        if_modified_since_s: seconds since the epoch.
        if_unmodified_since_s: seconds since the epoch.
    """

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    if_modified_since_s: int | None = None
    if_unmodified_since_s: int | None = None

    def __bool__(self) -> bool:
        return self != _NONE


_NONE = Conditions()
_NAMES = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})


def parse_conditions(headers: Mapping[str, str], *, prefix: str = "") -> Conditions:
    """Read the conditions of a request.

    Args:
        headers: by lower-case name.
        prefix: `x-amz-copy-source-` for those on a copy's source.

    Dates that cannot be read are ignored, as RFC 9110 asks.
    """
    if not prefix and _NAMES.isdisjoint(headers):
        return _NONE
    return Conditions(
        _etags(headers.get(f"{prefix}if-match")),
        _etags(headers.get(f"{prefix}if-none-match")),
        _date(headers.get(f"{prefix}if-modified-since")),
        _date(headers.get(f"{prefix}if-unmodified-since")),
    )


def check_read(conditions: Conditions, etag: str, modified_ns: int) -> None:
    """Apply the conditions of a GET or HEAD to the object there is.

    Raises:
        S3Error: `PreconditionFailed`, or `NotModified` (304, no body).
    """
    _check_preconditions(conditions, etag, modified_ns)
    if conditions.if_none_match:
        # A tag decides alone; the date is for those who have none.
        if _listed(etag, conditions.if_none_match):
            raise S3Error("NotModified")
        return
    since_s = conditions.if_modified_since_s
    if since_s is not None and modified_ns // NS_PER_S <= since_s:
        raise S3Error("NotModified")


def check_copy_source(conditions: Conditions, etag: str, modified_ns: int) -> None:
    """Apply the conditions on the source of a copy, where all failures are 412.

    Raises:
        S3Error: `PreconditionFailed`.
    """
    try:
        check_read(conditions, etag, modified_ns)
    except S3Error as error:
        raise S3Error("PreconditionFailed") from error


def check_write(conditions: Conditions, etag: str | None) -> None:
    """Apply If-Match and If-None-Match of a write to what is under the key now.

    Args:
        conditions: those of the request.
        etag: that of the current object, None when there is none.

    Raises:
        S3Error: `PreconditionFailed`, or `NoSuchKey` when If-Match meets no object.
    """
    if conditions.if_match:
        if etag is None:
            raise S3Error("NoSuchKey")
        if not _listed(etag, conditions.if_match):
            raise S3Error("PreconditionFailed", Condition="If-Match")
    if conditions.if_none_match and etag is not None and _listed(etag, conditions.if_none_match):
        raise S3Error("PreconditionFailed", Condition="If-None-Match")


class DeleteConditions(NamedTuple):
    """What a deletion asks of the object that it removes; an empty one asks nothing.

    Attributes:
        if_match: ETags without quotes, one of which must be the object's; `*` is any object.
        size_bytes: what the object's size must be.
        modified_s: when it must have been modified, in seconds since the epoch.
    """

    if_match: tuple[str, ...] = ()
    size_bytes: int | None = None
    modified_s: int | None = None

    def __bool__(self) -> bool:
        return self != _NO_DELETE_CONDITIONS


_NO_DELETE_CONDITIONS = DeleteConditions()


def parse_delete_conditions(
    etag: str | None, size: str | None, modified: str | None
) -> DeleteConditions:
    """Read the conditions of a deletion, from headers or from an entry of DeleteObjects.

    Raises:
        S3Error: `InvalidArgument` for a size or time that is none: ignoring it would delete.
    """
    size_bytes = modified_s = None
    if size is not None:
        if not (size.isascii() and size.isdigit() and len(size) <= 19):
            raise S3Error("InvalidArgument", "The size is not a number.", ArgumentValue=size)
        size_bytes = int(size)
    if modified is not None:
        modified_s = _instant(modified)
        if modified_s is None:
            raise S3Error("InvalidArgument", "The time is none.", ArgumentValue=modified)
    return DeleteConditions(_etags(etag), size_bytes, modified_s)


def check_delete(
    conditions: DeleteConditions, etag: str, size_bytes: int, modified_ns: int
) -> None:
    """Apply the conditions of a deletion to the object there is.

    Raises:
        S3Error: `PreconditionFailed`.
    """
    if conditions.if_match and not _listed(etag, conditions.if_match):
        raise S3Error("PreconditionFailed", Condition="If-Match")
    if conditions.size_bytes not in {None, size_bytes}:
        raise S3Error("PreconditionFailed", Condition="x-amz-if-match-size")
    if conditions.modified_s not in {None, modified_ns // NS_PER_S}:
        raise S3Error("PreconditionFailed", Condition="x-amz-if-match-last-modified-time")


def _check_preconditions(conditions: Conditions, etag: str, modified_ns: int) -> None:
    if conditions.if_match:
        # If-Match decides alone: If-Unmodified-Since beside it is not looked at.
        if not _listed(etag, conditions.if_match):
            raise S3Error("PreconditionFailed", Condition="If-Match")
        return
    since_s = conditions.if_unmodified_since_s
    if since_s is not None and modified_ns // NS_PER_S > since_s:
        raise S3Error("PreconditionFailed", Condition="If-Unmodified-Since")


def _listed(etag: str, listed: tuple[str, ...]) -> bool:
    return ANY in listed or etag in listed


def _etags(value: str | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(unquote_etag(part) for part in value.split(",") if part.strip())


def _instant(value: str) -> int | None:
    """Read a time in either of the forms that clients send."""
    try:
        return parse_iso8601(value) // NS_PER_S
    except ValueError:
        return parse_http_date(value)


def _date(value: str | None) -> int | None:
    return parse_http_date(value) if value is not None else None
