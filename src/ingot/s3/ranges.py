"""The Range header and its answer, for one range of bytes (RFC 9110 §14; S3 serves only one)."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingot.s3.errors import S3Error

_RANGE = re.compile(r"\s*bytes\s*=\s*(\d{0,19})\s*-\s*(\d{0,19})\s*", re.ASCII | re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


class ByteRange(NamedTuple):
    """A stretch of an object: offset and length in bytes."""

    start: int
    length: int


def parse_range(value: str | None, size_bytes: int) -> ByteRange | None:
    """Apply a Range header to an object.

    Args:
        value: the header, or None when the request has none.
        size_bytes: the size of the object.

    Returns:
        The range cut to the object's end, or None for the whole object: S3 ignores a header that
        it cannot read or that names several ranges.

    Raises:
        S3Error: `InvalidRange` when no byte of the object is in the range.
    """
    match = _RANGE.fullmatch(value) if value is not None else None
    if match is None or value is None:
        return None
    first, last = match.groups()
    if not first:
        if not last:
            return None
        length = min(int(last), size_bytes)
        start = size_bytes - length
    else:
        start = int(first)
        if last and int(last) < start:
            return None
        end = min(int(last), size_bytes - 1) if last else size_bytes - 1
        length = end - start + 1
    if length <= 0:
        raise S3Error(
            "InvalidRange", RangeRequested=value.strip(), ActualObjectSize=str(size_bytes)
        )
    return ByteRange(start, length)


def format_range(start: int, length: int) -> str:
    """Write the Range header that asks for `length` > 0 bytes from `start`."""
    return f"bytes={start}-{start + length - 1}"


def format_content_range(part: ByteRange, size_bytes: int) -> str:
    """Write the Content-Range header of a 206 answer."""
    return f"bytes {part.start}-{part.start + part.length - 1}/{size_bytes}"


def parse_content_range(value: str) -> tuple[ByteRange, int]:
    """Read a Content-Range header as range and size of the whole object.

    Raises:
        ValueError: it is none.
    """
    match = _CONTENT_RANGE.fullmatch(value)
    if match is None:
        raise ValueError(f"{value!r} is no Content-Range")
    first, last, size_bytes = (int(group) for group in match.groups())
    return ByteRange(first, last - first + 1), size_bytes
