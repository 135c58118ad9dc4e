"""The XML reader refuses what attacks or lies; the writer escapes what it must."""

from __future__ import annotations

import pytest

from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.s3 import xml
from ingot.s3.errors import S3Error


def test_namespaces_are_read_and_dropped() -> None:
    for start in ("<a>", '<a xmlns="urn:x">', '<p:a xmlns:p="urn:y">'):
        end = "</p:a>" if "p:a" in start else "</a>"
        root = xml.parse(f"{start}<b>1</b><b>2</b><c> </c>{end}".encode(), "a")
        assert [child.text for child in root.all("b")] == ["1", "2"]
        assert (root.get("b"), root.get("x"), root.get("x", "d")) == ("1", "", "d")
        assert (root.optional("c"), root.optional("x")) == (" ", None)


def test_required_elements() -> None:
    root = xml.parse(b"<a><b/></a>", "a")
    assert root.require("b") == ""
    with pytest.raises(S3Error, match="a has no c"):
        root.require("c")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"<a>",
        b"<b/>",
        b"<a/><a/>",
        b"<a>\xff</a>",
        b"<a>&unknown;</a>",
        b"<a>&#1;</a>",
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<a>" * (xml.DEPTH_MAX + 1) + b"</a>" * (xml.DEPTH_MAX + 1),
        b"<a>" + b"<b/>" * xml.ELEMENTS_MAX + b"</a>",
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        xml.parse(data, "a")
    assert caught.value.code == "MalformedXML"


def test_size_is_capped() -> None:
    with pytest.raises(S3Error) as caught:
        xml.parse(b" " * (XML_BODY_BYTES_MAX + 1), "a")
    assert caught.value.code == "MaxMessageLengthExceeded"


@pytest.mark.parametrize("reference", ["&#1;", "&#x1;", "&#x0B;", "&#0;", "&#31;", "&#x1f;"])
def test_clients_survive_references_that_xml_forbids(reference: str) -> None:
    data = f"<a><b>x{reference}y</b></a>".encode()
    assert xml.parse(data, "a", lenient=True).get("b") == "x\ufffdy"


@pytest.mark.parametrize("reference", ["&#9;", "&#10;", "&#xD;", "&#x20;", "&#65;"])
def test_references_that_xml_allows_stay(reference: str) -> None:
    data = f"<a><b>x{reference}y</b></a>".encode()
    assert xml.parse(data, "a", lenient=True).get("b") == xml.parse(data, "a").get("b")


def test_text_comes_back() -> None:
    text = "<&>\"' \t\n\r ä🎉 ]]>"
    data = xml.document("a", xml.leaf("b", text))
    assert xml.parse(data, "a").get("b") == text


@pytest.mark.parametrize(("text", "expected"), [("a\tb\n", True), ("\x01", False), ("\x1f", False)])
def test_what_xml_can_carry(text: str, expected: bool) -> None:
    assert xml.expressible(text) is expected


def test_leaves() -> None:
    assert xml.leaf("a", None) == ""
    assert xml.leaf("a", 5) == "<a>5</a>"
    assert xml.flag("a", value=True) == "<a>true</a>"


def test_rows_are_the_columns_side_by_side() -> None:
    pieces = xml.rows(3, "<a>", "<b>", ["1", "2", "3"], "</b>", ["x", "", "z"], "</a>")
    assert "".join(pieces) == "<a><b>1</b>x</a><a><b>2</b></a><a><b>3</b>z</a>"
    assert xml.rows(0, "<a>", [], "</a>") == []
    assert "".join(xml.rows(2, "<a/>")) == "<a/><a/>"
    with pytest.raises(ValueError, match="assign"):
        xml.rows(2, "<a>", ["1"], "</a>")


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "nonsense", "utf-16", "cp037"])
def test_an_encoding_that_cannot_be_read_is_malformed(encoding: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode()
    with pytest.raises(S3Error, match="well formed"):
        xml.parse(data, "a")
