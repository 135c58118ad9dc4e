from typing import Any

import pytest

from ingot.s3.errors import S3Error
from ingot.server.request import HEADERS_MAX, Message, Request, decode_headers


async def no_body() -> Message:
    raise AssertionError("nothing reads the body here")


def request(query: bytes = b"") -> Request:
    scope: dict[str, Any] = {
        "method": "GET",
        "raw_path": b"/",
        "query_string": query,
        "headers": [],
    }
    return Request(scope, no_body)


def test_headers_are_text_and_repeated_ones_are_joined() -> None:
    assert decode_headers([(b"host", b"h"), (b"x-a", b"1"), (b"x-a", b"\xe9")]) == {
        "host": "h",
        "x-a": "1,é",
    }


@pytest.mark.parametrize("name", ["x-%d", "same"])
def test_too_many_headers_are_refused(name: str) -> None:
    raw = [
        (name.encode() % index if "%" in name else name.encode(), b"")
        for index in range(HEADERS_MAX + 1)
    ]

    with pytest.raises(S3Error, match="more than"):
        decode_headers(raw)


def test_of_repeated_parameters_the_first_counts() -> None:
    asked = request(b"prefix=a%20b+c&prefix=second&delete")

    assert asked.parameters == {"prefix": "a b c", "delete": ""}
    assert list(asked.query) == [("prefix", "a b c"), ("prefix", "second"), ("delete", "")]


def test_a_page_size_is_cut_to_its_maximum() -> None:
    assert request(b"n=5").integer("n", 10, minimum=1, maximum=100) == 5
    assert request(b"n=500").integer("n", 10, minimum=1, maximum=100) == 100
    assert request(b"n=").integer("n", 10, minimum=1, maximum=100) == 10
    assert request().integer("n", 10, minimum=1, maximum=100) == 10


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9" * 20, "%D9%A1"])
def test_what_is_no_page_size_is_refused(value: str) -> None:
    with pytest.raises(S3Error) as caught:
        request(f"n={value}".encode()).integer("n", 10, minimum=1, maximum=100)

    assert caught.value.code == "InvalidArgument"
