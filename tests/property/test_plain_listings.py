"""Listings read from their text are what the tree of XML says, whatever services write."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingot.s3.documents import plainlist
from ingot.s3.documents.common import Owner
from ingot.s3.documents.listing import (
    Entry,
    ObjectListV2,
    parse_objects,
    parse_objects_v2,
    render_objects_v2,
)
from ingot.s3.errors import S3Error

_KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_ENTRIES = st.builds(
    Entry,
    _KEYS,
    st.integers(0, 4_000_000_000_000).map(lambda ms: ms * 1_000_000),
    st.from_regex(r"[0-9a-f]{32}(-[1-9])?", fullmatch=True),
    st.integers(0, 10**17),
    st.sampled_from(["STANDARD", "GLACIER"]),
    st.none() | st.builds(Owner, st.text("a&<> ", max_size=3), st.text("b", max_size=2)),
    st.none() | st.sampled_from(["CRC32C", "SHA256"]),
)


def page(entries: list[Entry], coding: str | None) -> bytes:
    return render_objects_v2(
        ObjectListV2("bucket", "", None, 1000, coding, False, entries, [], None, None, None)
    )


@given(entries=st.lists(_ENTRIES, max_size=5))
def test_what_our_server_writes_is_read_back(entries: list[Entry]) -> None:
    assert parse_objects_v2(page(entries, "url")).entries == entries


@given(keys=st.lists(_KEYS, min_size=1, max_size=5))
def test_what_our_server_writes_needs_no_tree(keys: list[str]) -> None:
    entries = [Entry(key, 10**18, "0" * 32, 5, "STANDARD", None, "CRC32C") for key in keys]
    assert plainlist.split(page(entries, "url")) is not None


# What may stand in a document: plain objects, their like with something odd, and debris.
_ODD_FIELDS = st.sampled_from(
    [
        *("<Key>a</Key>", "<Key>b&amp;c</Key>", "<Key>%41+b</Key>", "<Key/>", "<Key>é\n</Key>"),
        *("<Size>7</Size>", "<Size> 8 </Size>", "<Size>x</Size>", "<Size>0123</Size>"),
        "<LastModified>2026-11-27T22:24:28.587Z</LastModified>",
        "<LastModified>2026-11-27T22:24:28Z</LastModified>",
        "<LastModified>2026-11-27T22:24:28+01:00</LastModified>",
        "<LastModified>2026-02-30T22:24:28Z</LastModified>",
        "<LastModified>2026-11-27T24:00:28Z</LastModified>",
        *('<ETag>"aa"</ETag>', "<ETag>&quot;bb-2&quot;</ETag>", "<ETag>cc</ETag>"),
        *("<ETag>&#34;dd&#34;</ETag>", '<ETag>W/"ee"</ETag>', '<ETag>""</ETag>'),
        *("<StorageClass>STANDARD_IA</StorageClass>", "<StorageClass></StorageClass>"),
        *(
            "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>",
            "<ChecksumType>FULL_OBJECT</ChecksumType>",
        ),
        "<Owner><ID>me</ID><DisplayName>I</DisplayName></Owner>",
        *("<Owner><ID>only</ID></Owner>", "<Owner/>", "<!-- - -->", " ", "<Other>x</Other>"),
        *("<![CDATA[x]]>", "<?target?>", "<Contents/>", "&#x1;", "&bad;", "<", "]]>", "\x01"),
    ]
)
_PLAIN = (
    "<Contents><Key>{key}</Key><LastModified>2026-11-27T22:24:28.587Z</LastModified>"
    "<ETag>&quot;fedc553b9edd1dad630c107bc9654933&quot;</ETag><Size>100</Size>{rest}</Contents>"
)
_OBJECTS = st.one_of(
    st.builds(
        lambda key, rest: _PLAIN.format(key=key, rest=rest),
        st.sampled_from(["a", "b%20c", "d+e", "f/g", ""]),
        st.sampled_from(
            ["", "<StorageClass>GLACIER</StorageClass>", "<Owner><ID>x</ID></Owner>", "<!---->"]
        ),
    ),
    st.lists(_ODD_FIELDS, max_size=8).map(lambda fields: f"<Contents>{''.join(fields)}</Contents>"),
    st.permutations(
        [
            "<Key>k</Key>",
            "<LastModified>2026-11-27T22:24:28.587Z</LastModified>",
            '<ETag>"aa"</ETag>',
            "<Size>7</Size>",
            "<StorageClass>STANDARD</StorageClass>",
        ]
    ).map(lambda fields: f"<Contents>{''.join(fields)}</Contents>"),
)
_DOCUMENTS = st.builds(
    lambda prologue, opening, objects, closing: f"{prologue}{opening}{''.join(objects)}{closing}",
    st.sampled_from(
        [
            "",
            '<?xml version="1.0" encoding="UTF-8"?>\n',
            "<?xml version='1.0'?>",
            '<?xml version="1.0" encoding="ISO-8859-1"?>',
            '<?xml version="1.0"?><!DOCTYPE a>',
            "\ufeff",
        ]
    ),
    st.sampled_from(
        [
            "<ListBucketResult><EncodingType>url</EncodingType>",
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">',
            "<ListBucketResult><Nested>",
            "<ListBucketResult><Contents><Key>x</Key></Contents>",
            "<Error>",
        ]
    ),
    st.lists(_OBJECTS, max_size=4),
    st.sampled_from(
        [
            *("</ListBucketResult>", "<IsTruncated>true</IsTruncated></ListBucketResult>"),
            *("</Nested></ListBucketResult>", "</Error>", ""),
        ]
    ),
)


def outcome(parse: Callable[[bytes], object], data: bytes) -> object:
    try:
        return parse(data)
    except S3Error as error:
        return error.code


@given(document=_DOCUMENTS, coding=st.sampled_from(["utf-8", "latin-1", "utf-16"]))
@example(document="<ListBucketResult></Contents><Contents></ListBucketResult>", coding="utf-8")
@pytest.mark.parametrize("parse", [parse_objects, parse_objects_v2])
def test_text_and_tree_say_the_same(
    parse: Callable[[bytes], object], document: str, coding: str
) -> None:
    data = document.encode(coding, errors="replace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plainlist, "split", lambda data: None)
        expected = outcome(parse, data)
    assert outcome(parse, data) == expected
