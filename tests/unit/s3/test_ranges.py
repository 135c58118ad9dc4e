"""Range headers and their answers."""

from __future__ import annotations

import pytest

from ingot.s3.errors import S3Error
from ingot.s3.ranges import (
    ByteRange,
    format_content_range,
    format_range,
    parse_content_range,
    parse_range,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-9", (0, 10)),
        ("bytes=0-10", (0, 10)),
        ("bytes=0-99999999999999999", (0, 10)),
        ("bytes=9-", (9, 1)),
        ("bytes=-1", (9, 1)),
        ("bytes=-99", (0, 10)),
        ("Bytes = 2 - 4", (2, 3)),
        # What cannot be read is ignored, as Amazon does.
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=\u0660-\u0669", None),
        ("bytes=0-99999999999999999999", None),
    ],
)
def test_of_ten_bytes(value: str | None, expected: tuple[int, int] | None) -> None:
    assert parse_range(value, 10) == expected


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-0", 0), ("bytes=-5", 0)],
)
def test_unsatisfiable(value: str, size_bytes: int) -> None:
    with pytest.raises(S3Error) as caught:
        parse_range(value, size_bytes)
    assert caught.value.status == 416
    assert caught.value.fields == {"RangeRequested": value, "ActualObjectSize": str(size_bytes)}


def test_what_the_client_asks_the_server_reads() -> None:
    part = parse_range(format_range(3, 4), 10)
    assert part == ByteRange(3, 4)
    assert parse_content_range(format_content_range(ByteRange(3, 4), 10)) == (part, 10)


@pytest.mark.parametrize("value", ["", "bytes */10", "bytes 1-2/*", "items 1-2/3"])
def test_bad_content_ranges(value: str) -> None:
    with pytest.raises(ValueError, match="no Content-Range"):
        parse_content_range(value)
