"""Conditional requests: which header wins, and what each answers."""

from __future__ import annotations

import pytest

from ingot.s3.conditions import (
    Conditions,
    check_copy_source,
    check_delete,
    check_read,
    check_write,
    parse_conditions,
    parse_delete_conditions,
)
from ingot.s3.dates import NS_PER_S, format_http_date
from ingot.s3.errors import S3Error

MODIFIED_S = 1_700_000_000
# Half a second more than the header can say.
MODIFIED_NS = MODIFIED_S * NS_PER_S + NS_PER_S // 2


def at(offset_s: int) -> str:
    return format_http_date((MODIFIED_S + offset_s) * NS_PER_S)


def read_outcome(headers: dict[str, str]) -> str:
    try:
        check_read(parse_conditions(headers), "tag", MODIFIED_NS)
    except S3Error as error:
        return error.code
    return "ok"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "ok"),
        ({"if-match": '"tag"'}, "ok"),
        ({"if-match": "tag"}, "ok"),
        ({"if-match": '"x", "tag"'}, "ok"),
        ({"if-match": "*"}, "ok"),
        ({"if-match": '"x"'}, "PreconditionFailed"),
        ({"if-none-match": '"tag"'}, "NotModified"),
        ({"if-none-match": 'W/"tag"'}, "NotModified"),
        ({"if-none-match": "*"}, "NotModified"),
        ({"if-none-match": '"x"'}, "ok"),
        ({"if-modified-since": at(0)}, "NotModified"),
        ({"if-modified-since": at(1)}, "NotModified"),
        ({"if-modified-since": at(-1)}, "ok"),
        ({"if-modified-since": "yesterday"}, "ok"),
        ({"if-unmodified-since": at(0)}, "ok"),
        ({"if-unmodified-since": at(-1)}, "PreconditionFailed"),
        # Tags win over dates.
        ({"if-match": '"tag"', "if-unmodified-since": at(-1)}, "ok"),
        ({"if-none-match": '"x"', "if-modified-since": at(1)}, "ok"),
        ({"if-match": '"x"', "if-none-match": '"tag"'}, "PreconditionFailed"),
    ],
)
def test_reads(headers: dict[str, str], expected: str) -> None:
    assert read_outcome(headers) == expected


def test_a_copy_answers_412_where_a_read_answers_304() -> None:
    headers = {"x-amz-copy-source-if-none-match": '"tag"', "if-none-match": '"tag"'}
    conditions = parse_conditions(headers, prefix="x-amz-copy-source-")
    with pytest.raises(S3Error) as caught:
        check_copy_source(conditions, "tag", MODIFIED_NS)
    assert caught.value.code == "PreconditionFailed"
    check_copy_source(conditions, "other", MODIFIED_NS)


@pytest.mark.parametrize(
    ("headers", "etag", "expected"),
    [
        ({}, None, None),
        ({"if-none-match": "*"}, None, None),
        ({"if-none-match": "*"}, "tag", "PreconditionFailed"),
        ({"if-none-match": '"tag"'}, "tag", "PreconditionFailed"),
        ({"if-none-match": '"x"'}, "tag", None),
        ({"if-match": '"tag"'}, "tag", None),
        ({"if-match": "*"}, "tag", None),
        ({"if-match": '"x"'}, "tag", "PreconditionFailed"),
        ({"if-match": '"tag"'}, None, "NoSuchKey"),
    ],
)
def test_writes(headers: dict[str, str], etag: str | None, expected: str | None) -> None:
    conditions = parse_conditions(headers)
    if expected is None:
        check_write(conditions, etag)
        return
    with pytest.raises(S3Error) as caught:
        check_write(conditions, etag)
    assert caught.value.code == expected


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        (('"tag"', None, None), True),
        (("*", "7", at(0)), True),
        (('"x"', "7", at(0)), False),
        ((None, "8", None), False),
        ((None, None, at(1)), False),
        ((None, None, "2023-11-14T22:13:20.000Z"), True),
    ],
)
def test_deletions(written: tuple[str | None, str | None, str | None], *, holds: bool) -> None:
    conditions = parse_delete_conditions(*written)
    assert conditions
    if holds:
        check_delete(conditions, "tag", 7, MODIFIED_NS)
        return
    with pytest.raises(S3Error) as caught:
        check_delete(conditions, "tag", 7, MODIFIED_NS)
    assert caught.value.code == "PreconditionFailed"


@pytest.mark.parametrize("written", [(None, "x", None), (None, "-1", None), (None, None, "soon")])
def test_conditions_of_deletions_that_are_refused(
    written: tuple[str | None, str | None, str | None],
) -> None:
    with pytest.raises(S3Error) as caught:
        parse_delete_conditions(*written)
    assert caught.value.code == "InvalidArgument"


def test_no_condition_is_false() -> None:
    assert not Conditions()
    assert not parse_delete_conditions(None, None, None)
    assert parse_conditions({"if-match": "x"})
