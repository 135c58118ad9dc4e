"""What well-behaved clients never send, and framing below boto3's level."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingot.base.secret import Secret
from ingot.s3.chunked import SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER, ChunkSigner
from ingot.s3.operations import UNIMPLEMENTED
from ingot.s3.sigv4 import signing_key

TIMEOUT_S = 30.0
BODY = b"The quick brown fox jumps over the lazy dog. " * 3000


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def chunks(body: bytes, size_bytes: int = 65536) -> Iterator[bytes]:
    for start in range(0, len(body), size_bytes):
        yield body[start : start + size_bytes]


def unsigned_chunks(body: bytes, trailer: str = "") -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks(body))
    return framed + b"0\r\n" + trailer.encode() + b"\r\n"


def signed_chunks(
    signed: Any, path: str, body: bytes, *, trailer: dict[str, str], spoil: bytes = b""
) -> Any:
    """Send a body in signed chunks; `spoil` replaces the first bytes after signing."""
    names = {"x-amz-trailer": ",".join(trailer)} if trailer else {}
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(len(body)),
        **names,
    }
    seed = signed.sign(
        "PUT", path, headers=headers, payload_hash=SIGNED_TRAILER if trailer else SIGNED
    )
    key = signing_key(Secret(signed.server.secret_key), seed.timestamp[:8], "us-east-1")
    signer = ChunkSigner(key, seed.timestamp, seed.scope, seed.signature)
    framed = b""
    for chunk in [*chunks(body), b""]:
        proof = signer.chunk(hashlib.sha256(chunk).hexdigest())
        data = spoil + chunk[len(spoil) :] if chunk else b""
        framed += f"{len(chunk):x};chunk-signature={proof}\r\n".encode() + data
        framed += b"\r\n" if chunk or not trailer else b""
    if trailer:
        lines = "".join(f"{name}:{value}\r\n" for name, value in trailer.items())
        framed += (
            f"{lines}x-amz-trailer-signature:{signer.trailer(trailer.items())}\r\n\r\n".encode()
        )
    return signed.send("PUT", path, {**seed.headers, "content-length": str(len(framed))}, framed)


@pytest.fixture
def path(bucket: str) -> str:
    return f"/{bucket}/key"


@pytest.mark.parametrize("trailer", [{}, {"x-amz-checksum-crc32": crc32(BODY)}])
def test_signed_chunks(signed: Any, path: str, trailer: dict[str, str]) -> None:
    assert signed_chunks(signed, path, BODY, trailer=trailer).status == 200

    got = signed("GET", path, headers={"x-amz-checksum-mode": "ENABLED"})
    assert got.body == BODY
    assert got.headers.get("x-amz-checksum-crc32") == trailer.get("x-amz-checksum-crc32")
    assert "content-encoding" not in got.headers


def test_a_spoiled_chunk_is_refused_and_nothing_is_kept(signed: Any, path: str) -> None:
    answer = signed_chunks(signed, path, BODY, trailer={}, spoil=b"t")

    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    assert signed("HEAD", path).status == 404


def test_a_wrong_checksum_in_a_signed_trailer_is_refused(signed: Any, path: str) -> None:
    answer = signed_chunks(
        signed, path, BODY, trailer={"x-amz-checksum-crc32": crc32(b"something else")}
    )

    assert (answer.status, answer.code) == (400, "BadDigest")
    assert signed("HEAD", path).status == 404


def send_unsigned(signed: Any, path: str, framed: bytes, **change: str) -> Any:
    headers = {
        "content-encoding": "gzip, aws-chunked",
        "x-amz-decoded-content-length": str(len(BODY)),
        "x-amz-trailer": "x-amz-checksum-crc32",
    } | {name.replace("_", "-"): value for name, value in change.items()}
    return signed("PUT", path, framed, headers=headers, payload_hash=UNSIGNED_TRAILER)


def test_unsigned_chunks_with_a_trailer(signed: Any, path: str) -> None:
    framed = unsigned_chunks(BODY, f"x-amz-checksum-crc32:{crc32(BODY)}\r\n")

    assert send_unsigned(signed, path, framed).status == 200

    got = signed("GET", path)
    assert got.body == BODY
    assert got.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("framed", "change", "code"),
    [
        (unsigned_chunks(BODY, "x-amz-checksum-crc32:AAAAAA==\r\n"), {}, "BadDigest"),
        (unsigned_chunks(BODY, "x-amz-checksum-crc32:short\r\n"), {}, "InvalidRequest"),
        (unsigned_chunks(BODY), {}, "MalformedTrailerError"),
        (unsigned_chunks(BODY)[:-100], {}, "IncompleteBody"),
        (unsigned_chunks(BODY + b"more"), {}, "IncompleteBody"),
        (b"zz\r\n", {}, "InvalidChunkSizeError"),
        (b"5\r\nhello world\r\n", {"x_amz_decoded_content_length": "5"}, "InvalidChunkSizeError"),
        (b"0\r\n\r\n", {"x_amz_decoded_content_length": "-5"}, "InvalidArgument"),
        (b"0\r\n\r\n", {"x_amz_trailer": "x-evil"}, "InvalidRequest"),
        (b"0\r\n\r\n", {"x_amz_decoded_content_length": str(6 << 30)}, "EntityTooLarge"),
    ],
)
def test_bad_framing_is_refused_and_nothing_is_kept(
    signed: Any, path: str, framed: bytes, change: dict[str, str], code: str
) -> None:
    answer = send_unsigned(signed, path, framed, **change)

    assert (answer.status, answer.code) == (400, code)
    assert signed("HEAD", path).status == 404


@pytest.mark.parametrize("size_bytes", [5, 300_000])
def test_digests_that_do_not_match_are_refused_and_nothing_is_kept(
    signed: Any, path: str, size_bytes: int
) -> None:
    body = b"x" * size_bytes
    wrong_md5 = base64.b64encode(hashlib.md5(b"other").digest()).decode()

    for options, status, code in (
        ({"payload_hash": hashlib.sha256(b"o").hexdigest()}, 400, "XAmzContentSHA256Mismatch"),
        ({"headers": {"content-md5": wrong_md5}}, 400, "BadDigest"),
        ({"headers": {"content-md5": "nonsense"}}, 400, "InvalidDigest"),
        ({"headers": {"x-amz-checksum-crc32": crc32(b"other")}}, 400, "BadDigest"),
        ({"headers": {"x-amz-checksum-crc32": "nonsense"}}, 400, "InvalidRequest"),
        ({"headers": {"x-amz-sdk-checksum-algorithm": "CRC32"}}, 400, "InvalidRequest"),
        ({"payload_hash": "STREAMING-SOMETHING"}, 400, "InvalidArgument"),
    ):
        answer = signed("PUT", path, body, **options)
        assert (answer.status, answer.code) == (status, code)
    assert signed("HEAD", path).status == 404


def test_a_right_md5_and_an_unsigned_payload_are_accepted(signed: Any, path: str) -> None:
    md5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()

    answer = signed(
        "PUT", path, BODY, headers={"content-md5": md5}, payload_hash="UNSIGNED-PAYLOAD"
    )

    assert answer.status == 200
    assert answer.headers["etag"] == f'"{hashlib.md5(BODY).hexdigest()}"'


def not_served(scope: str) -> list[Any]:
    """Return the operations that the server knows and does not serve, by their table."""
    return [
        pytest.param(row.method, sorted(row.subresource), id=row.name)
        for row in UNIMPLEMENTED
        if row.scope == scope and row.subresource
    ]


@pytest.mark.parametrize(("method", "names"), not_served("object"))
def test_what_is_not_implemented_says_so_and_leaves_the_object_alone(
    signed: Any, path: str, method: str, names: list[str]
) -> None:
    signed("PUT", path, b"precious")

    body = b"" if method in {"GET", "HEAD"} else b"<x/>"
    answer = signed(method, path, body, query=[(name, "") for name in names])

    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert signed("GET", path).body == b"precious"


@pytest.mark.parametrize(("method", "names"), not_served("bucket"))
def test_settings_that_are_not_implemented_do_not_touch_the_bucket(
    signed: Any, bucket: str, method: str, names: list[str]
) -> None:
    answer = signed(method, f"/{bucket}", query=[(name, "") for name in names])

    assert (answer.status, answer.code) == (501, "NotImplemented")
    assert signed("HEAD", f"/{bucket}").status == 200


def test_errors_tell_where_and_which_request(signed: Any, bucket: str) -> None:
    answer = signed("GET", f"/{bucket}/a & b")

    request_id = answer.headers["x-amz-request-id"]
    for part in (
        b"<Code>NoSuchKey</Code>",
        b"<Key>a &amp; b</Key>",
        b"<BucketName>" + bucket.encode() + b"</BucketName>",
        b"<Resource>/" + bucket.encode() + b"/a%20%26%20b</Resource>",
        b"<RequestId>" + request_id.encode() + b"</RequestId>",
        b"<HostId>",
    ):
        assert part in answer.body
    assert answer.headers["content-type"] == "application/xml"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MalformedXML"),
        (b"<Delete>", "MalformedXML"),
        (b"<Delete></Delete>", "MalformedXML"),
        (
            b'<!DOCTYPE a [<!ENTITY e "x">]><Delete><Object><Key>&e;</Key></Object></Delete>',
            "MalformedXML",
        ),
        (b"<Other/>", "MalformedXML"),
        (b"<Delete>" + b" " * (4 << 20) + b"</Delete>", "MaxMessageLengthExceeded"),
    ],
)
def test_bad_documents_are_refused(signed: Any, bucket: str, body: bytes, code: str) -> None:
    answer = signed("POST", f"/{bucket}", body, query=[("delete", "")])

    assert (answer.status, answer.code) == (400, code)


class Wire:
    """A raw connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)

    def head(self, signed: Any, method: str, path: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = signed.sign(method, path, headers=named, payload_hash="UNSIGNED-PAYLOAD")
        lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())

    def read(self) -> bytes:
        return self.socket.recv(65536)


@pytest.fixture
def wire(server: Any) -> Iterator[Callable[[], Wire]]:
    opened: list[Wire] = []

    def connect() -> Wire:
        opened.append(Wire(server.port))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


def test_expect_100_continue_is_answered_before_the_body(
    signed: Any, wire: Callable[[], Wire], path: str
) -> None:
    connection = wire()
    connection.head(signed, "PUT", path, content_length="5", expect="100-continue")

    assert connection.read().startswith(b"HTTP/1.1 100")
    connection.socket.sendall(b"hello")
    assert connection.read().startswith(b"HTTP/1.1 200")
    assert signed("GET", path).body == b"hello"


def test_a_refusal_comes_instead_of_100_continue(signed: Any, wire: Callable[[], Wire]) -> None:
    connection = wire()
    connection.head(signed, "PUT", "/no-such-bucket/key", content_length="5", expect="100-continue")

    answer = connection.read()
    assert answer.startswith(b"HTTP/1.1 404")
    # Whether the body still comes is unknown, so the next request cannot be told from it.
    assert b"connection: close\r\n" in answer
    assert connection.read() == b""


def test_a_request_right_behind_a_refused_one_is_never_read_as_its_body(
    signed: Any, wire: Callable[[], Wire]
) -> None:
    for _ in range(50):
        connection = wire()
        connection.head(
            signed, "PUT", "/no-such-bucket/key", content_length="1", expect="100-continue"
        )
        connection.head(signed, "GET", "/no-such-bucket")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.read():
                answer += piece
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"MethodNotAllowed" not in answer


def test_an_upload_without_a_length_is_refused(
    signed: Any, wire: Callable[[], Wire], path: str
) -> None:
    connection = wire()
    connection.head(signed, "PUT", path, transfer_encoding="chunked")
    connection.socket.sendall(b"5\r\nhello\r\n0\r\n\r\n")

    answer = connection.read()
    assert answer.startswith(b"HTTP/1.1 411")
    assert b"MissingContentLength" in answer


@pytest.mark.parametrize("length", ["5368709121", "99999999999999999999"])
def test_an_upload_above_the_limit_is_refused_before_it_is_read(
    signed: Any, wire: Callable[[], Wire], path: str, length: str
) -> None:
    connection = wire()
    connection.head(signed, "PUT", path, content_length=length)

    assert connection.read().startswith(b"HTTP/1.1 400")


def test_a_small_refused_upload_leaves_the_connection_usable(
    signed: Any, wire: Callable[[], Wire]
) -> None:
    connection = wire()
    connection.head(signed, "PUT", "/no-such-bucket/key", content_length="200000")
    connection.socket.sendall(b"x" * 200_000)
    assert connection.read().startswith(b"HTTP/1.1 404")

    connection.head(signed, "GET", "/")
    assert connection.read().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("data", [b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 100])
def test_garbage_ends_its_own_connection_only(
    signed: Any, wire: Callable[[], Wire], data: bytes
) -> None:
    connection = wire()
    connection.socket.sendall(data)

    assert connection.read().startswith((b"HTTP/1.1 400", b""))
    assert signed("GET", "/").status == 200


def test_keep_alive_serves_many_requests(signed: Any, wire: Callable[[], Wire], path: str) -> None:
    connection = wire()
    ids = set()
    for _ in range(20):
        connection.head(signed, "PUT", path, content_length="0")
        answer = connection.read()
        assert answer.startswith(b"HTTP/1.1 200")
        ids.add(answer.partition(b"x-amz-request-id: ")[2].partition(b"\r")[0])
    assert len(ids) == 20
