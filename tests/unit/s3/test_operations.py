"""Which request is which operation."""

from __future__ import annotations

import pytest

from ingot.s3.errors import S3Error
from ingot.s3.operations import OPERATIONS, UNIMPLEMENTED, Scope, match


def query_and_headers(row: object) -> tuple[dict[str, str], dict[str, str]]:
    subresource = row.subresource  # type: ignore[attr-defined]
    header = row.header  # type: ignore[attr-defined]
    return dict.fromkeys(subresource, ""), {header: "x"} if header else {}


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_every_row_is_found(row: object) -> None:
    query, headers = query_and_headers(row)
    query |= {"x-id": "Name", "versionId": "null", "prefix": "p", "max-keys": "1"}
    assert match(row.method, row.scope, query, headers) is row  # type: ignore[attr-defined]


@pytest.mark.parametrize("row", UNIMPLEMENTED, ids=lambda row: row.name)
def test_every_unimplemented_row_answers_501(row: object) -> None:
    query, headers = query_and_headers(row)
    with pytest.raises(S3Error) as caught:
        match(row.method, row.scope, query, headers)  # type: ignore[attr-defined]
    assert caught.value.code == "NotImplemented"
    assert row.name in caught.value.message  # type: ignore[attr-defined]


def test_every_place_has_a_row_without_a_header() -> None:
    rows = [*OPERATIONS, *UNIMPLEMENTED]
    places = {(row.method, row.scope, row.subresource) for row in rows}
    plain = {(row.method, row.scope, row.subresource) for row in rows if row.header is None}
    assert plain == places


def test_names_are_unique() -> None:
    names = [row.name for row in (*OPERATIONS, *UNIMPLEMENTED)]
    assert len(names) == len(set(names))


def test_a_header_tells_a_copy_from_a_put() -> None:
    assert match("PUT", "object", {}, {}).name == "PutObject"
    assert match("PUT", "object", {}, {"x-amz-copy-source": "b/k"}).name == "CopyObject"


def test_a_part_number_alone_is_a_read_of_one_part() -> None:
    assert match("GET", "object", {"partNumber": "1"}, {}).name == "GetObject"
    assert match("HEAD", "object", {"partNumber": "1"}, {}).name == "HeadObject"


@pytest.mark.parametrize(
    ("method", "scope", "query"),
    [
        ("PATCH", "object", ()),
        ("POST", "service", ()),
        ("PUT", "object", ("uploadId",)),
        ("PUT", "object", ("partNumber",)),
        # A subresource that S3 has under another method must never be taken for the plain one.
        ("DELETE", "bucket", ("versioning",)),
        ("DELETE", "bucket", ("uploads",)),
        ("DELETE", "object", ("uploads",)),
        ("PUT", "bucket", ("delete",)),
        ("HEAD", "object", ("uploadId",)),
    ],
)
def test_what_s3_does_not_have(method: str, scope: Scope, query: tuple[str, ...]) -> None:
    with pytest.raises(S3Error) as caught:
        match(method, scope, query, {})
    assert caught.value.code == "MethodNotAllowed"


def test_two_operations_at_once() -> None:
    with pytest.raises(S3Error) as caught:
        match("GET", "bucket", ("versioning", "location"), {})
    assert caught.value.code == "InvalidRequest"
