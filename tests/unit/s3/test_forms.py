"""Forms that are not well-formed, too large, or written as some browsers do."""

from __future__ import annotations

import pytest

from ingot.s3.errors import S3Error
from ingot.s3.forms import (
    FIELDS_BYTES_MAX,
    FIELDS_MAX,
    Field,
    File,
    FormParser,
    parse_boundary,
)


def read(data: bytes, boundary: bytes = b"b") -> list[object]:
    parser = FormParser(boundary)
    events: list[object] = [*parser.feed(data)]
    parser.finish()
    return events


def part(disposition: str, value: bytes = b"v") -> bytes:
    return f"--b\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + value + b"\r\n"


FILE = part('form-data; name="file"; filename="f"', b"content")
END = b"--b--\r\n"


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ("multipart/form-data; boundary=abc", b"abc"),
        ("Multipart/Form-Data;boundary=abc", b"abc"),
        ('multipart/form-data; boundary="a b"', b"a b"),
        ("multipart/form-data; charset=utf-8; boundary=--a'()+_,./:=?z", b"--a'()+_,./:=?z"),
        ("multipart/form-data; boundary=abc; charset=utf-8", b"abc"),
    ],
)
def test_boundaries(content_type: str, boundary: bytes) -> None:
    assert parse_boundary(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain; boundary=abc",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        'multipart/form-data; boundary="   "',
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=ä",
        f"multipart/form-data; boundary={'a' * 71}",
        "multipart/form-data-x; boundary=abc",
    ],
)
def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(S3Error) as caught:
        parse_boundary(content_type)
    assert caught.value.code == "PreconditionFailed"


@pytest.mark.parametrize(
    ("disposition", "event"),
    [
        ('form-data; name="Key"', Field("key", "v")),
        ("form-data; name=key", Field("key", "v")),
        ('FORM-DATA; x="a;b"; NAME="key"', Field("key", "v")),
        (r'form-data; name="a\"b\\c"', Field(r'a"b\c', "v")),
        ('form-data; name="key"; filename="not-the-file"', Field("key", "v")),
        ('form-data; filename="a;b.txt"; name="file"', File("a;b.txt")),
        (r'form-data; name="file"; filename="C:\cats\cat.jpg"', File("cat.jpg")),
        ('form-data; name="file"; filename="some/folder/ä"', File("ä")),
        ('form-data; name="file"', File("")),
    ],
)
def test_names(disposition: str, event: object) -> None:
    assert read(part(disposition) + END)[0] == event


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no delimiter at all",
        END[:3],
        FILE,
        FILE[:-3],
        part("form-data") + END,
        part('form-data; name=""') + END,
        part('attachment; name="key"') + END,
        part('form-data; name="k\xff"').replace("ÿ".encode(), b"\xff") + END,
        part('form-data; name="key"', b"\xff") + END,
        b"--b\r\n\r\nv\r\n" + END,
        b"--b\r\nContent-Type: text/plain\r\n\r\nv\r\n" + END,
        b"--bc\r\n",
        b"--b" + b" " * 200,
        FILE + b"--bc",
        FILE + b"--b" + b"\t" * 200,
        b"--b\n" + FILE,
        part('form-data; name="key"') * (FIELDS_MAX + 1) + FILE + END,
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    with pytest.raises(S3Error) as caught:
        read(data)
    assert caught.value.code == "MalformedPOSTRequest"


def test_delimiters_may_be_padded_and_what_follows_the_file_is_not_read() -> None:
    file = [File("f"), b"content"]
    padded = FILE.replace(b"--b\r\n", b"--b \t\r\n")
    for end in (b"--b--", b"--b \r\ngarbage", END + b"epilogue", part('form-data; name="k"')):
        assert read(padded + end) == file
    assert read(END) == []


def test_what_is_in_front_of_the_file_is_bounded_and_the_file_is_not() -> None:
    large = b"x" * FIELDS_BYTES_MAX
    for data in (
        part('form-data; name="key"', large) + FILE + END,
        part('form-data; name="key"', large),
        b"--b\r\n" + large,
        large + FILE + END,
        part('form-data; name="a"', large[: FIELDS_BYTES_MAX // 2]) * 2 + FILE + END,
    ):
        with pytest.raises(S3Error) as caught:
            read(data)
        assert caught.value.code == "MaxPostPreDataLengthExceededError"
    events = read(FILE.replace(b"content", large * 3) + END)
    assert events == [File("f"), large * 3]


def test_little_of_the_file_is_held_back() -> None:
    parser = FormParser(b"b")
    parser.feed(FILE[: FILE.index(b"content")])
    given = b"content\rcontent\r\ncontent\r\n-"
    events = parser.feed(given)
    assert events == [given[:-3]]
    assert parser.feed(b"-a") == [b"\r\n--a"]
    assert parser.feed(b"\r\n--b--") == []
    parser.finish()
    assert parser.feed(b"more") == []
