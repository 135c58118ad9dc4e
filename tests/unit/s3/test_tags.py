"""Tags: what their header says, and which are refused."""

from __future__ import annotations

import pytest

from ingot.s3.documents import tagging
from ingot.s3.errors import S3Error
from ingot.s3.tags import check_tags, parse_tagging_header


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1&b=&c%20d=%C3%A4+x", {"a": "1", "b": "", "c d": "ä x"}),
        ("k=v%3D%26", {"k": "v=&"}),
    ],
)
def test_the_header(value: str, tags: dict[str, str]) -> None:
    assert parse_tagging_header(value) == tags


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("a=1&a=2", "InvalidTag"),
        ("=1", "InvalidTag"),
        ("aws:a=1", "InvalidTag"),
        (f"{'k' * 129}=1", "InvalidTag"),
        (f"k={'v' * 257}", "InvalidTag"),
        ("&".join(f"k{index}=v" for index in range(11)), "BadRequest"),
        ("&".join(f"k{index}=v" for index in range(51)), "InvalidArgument"),
        ("a=%FF", "InvalidArgument"),
    ],
)
def test_headers_that_are_refused(value: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_tagging_header(value)
    assert caught.value.code == code


def test_limits_are_reached() -> None:
    pairs = [(f"{index:0128d}", "v" * 256) for index in range(10)]
    assert len(check_tags(pairs, limit=10)) == 10


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<TagSet><Tag><Key>a</Key></Tag></TagSet>",
        "<TagSet><Tag><Value>a</Value></Tag></TagSet>",
    ],
)
def test_documents_that_are_refused(content: str) -> None:
    with pytest.raises(S3Error) as caught:
        tagging.parse(f"<Tagging>{content}</Tagging>".encode(), limit=10)
    assert caught.value.code == "MalformedXML"
