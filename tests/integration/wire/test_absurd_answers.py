"""Answers of services that contradict themselves, or say what cannot be, through the library."""

from __future__ import annotations

from typing import Any

import pytest

from ingot.base.errors import IntegrityError, NetworkError
from ingot.base.secret import Secret
from ingot.s3.ranges import ByteRange
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceError
from ingot.transport.pool import Transport

_HTTP = b"HTTP/1.1 %d -\r\nconnection: close\r\n"
_RANGE = b"content-range: bytes 0-9/100\r\n"


@pytest.fixture
def client(scripted: Any, transport: Transport) -> S3Client:
    credentials = Credentials("key", Secret("secret"))
    return S3Client(Endpoint.parse(scripted.url), credentials, transport=transport)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (200, b"content-length: 10\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        (206, _RANGE + b"content-length: 5\r\n\r\n01234"),
        (206, _RANGE + b"content-length: 11\r\n\r\n01234567890"),
        (206, _RANGE + b"\r\n01234"),
    ],
)
def test_fewer_or_more_bytes_than_were_said_are_not_taken(
    scripted: Any, client: S3Client, status: int, said: bytes
) -> None:
    part = ByteRange(0, 10) if status == 206 else None
    scripted.script += [_HTTP % status + said] * 2
    with client.get_object("b", "k", part=part) as stream, pytest.raises(NetworkError):
        stream.read()
    with client.get_object("b", "k", part=part) as stream, pytest.raises(NetworkError):
        list(iter(lambda: stream.read_into(memoryview(bytearray(100))), 0))


@pytest.mark.parametrize("length", ["-5", "+5", "1_0", "9" * 5000])
def test_a_length_that_is_none_is_not_taken(scripted: Any, client: S3Client, length: str) -> None:
    scripted.answers(200, content_length=length)
    with pytest.raises(NetworkError):
        client.head_object("b", "k")


@pytest.mark.parametrize("value", ["!!!", "AA=="])
def test_a_checksum_that_is_none_is_told(scripted: Any, client: S3Client, value: str) -> None:
    scripted.answers(200, b"ab", x_amz_checksum_crc32c=value)
    with client.get_object("b", "k") as stream, pytest.raises(IntegrityError, match="CRC32C"):
        stream.read()


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"Records":[{"eventName":"","s3":{"bucket":{"name":""},"object":{"key":"","size":1e999}}}]}',
    ],
    ids=["nested", "infinite"],
)
def test_an_event_that_is_none_is_told(scripted: Any, client: S3Client, line: bytes) -> None:
    scripted.answers(200, line + b"\n")
    with pytest.raises(NetworkError, match="cannot be read"):
        list(client.listen_bucket_notification("b"))


def test_a_region_that_is_none_is_not_signed_for(scripted: Any, client: S3Client) -> None:
    scripted.refuses(400, "AuthorizationHeaderMalformed", "<Region>a\nb</Region>")
    with pytest.raises(ServiceError) as caught:
        client.get_object("b", "k")
    assert caught.value.code == "AuthorizationHeaderMalformed"
