"""TLS: whom the transport trusts, and how the client frames bodies that TLS protects."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import NetworkError, UsageError
from ingot.base.secret import Secret
from ingot.base.units import MIB
from ingot.s3.checksums import encode, new
from ingot.s3.chunked import ChunkedDecoder
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.transfer import Transfers
from ingot.transport.options import TlsOptions, TransportOptions
from ingot.transport.pool import Request, Transport


def send(server: Any, tls: TlsOptions) -> int:
    with Transport(TransportOptions(tls=tls, environment={})) as transport:
        sent = Request("GET", "https", "127.0.0.1", server.port, "/", {"host": "h"})
        with transport.send(sent) as response:
            return response.status


def test_a_stranger_is_not_trusted(secured: Any) -> None:
    secured.answers(200)
    with pytest.raises(NetworkError, match="cannot be trusted") as caught:
        send(secured, TlsOptions())
    assert caught.value.hint
    assert secured.received == []


def test_a_ca_file_is_trusted(secured: Any, certificate: Path) -> None:
    secured.answers(200)
    assert send(secured, TlsOptions(ca_file=certificate)) == 200


def test_the_user_may_trust_anybody(secured: Any) -> None:
    secured.answers(200)
    assert send(secured, TlsOptions(verify=False)) == 200


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_bad_ca_file_is_told(secured: Any, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"ca\.pem"):
        send(secured, TlsOptions(ca_file=path))


def test_files_travel_with_a_trailer_and_no_signed_chunks(
    secured: Any, certificate: Path, tmp_path: Path
) -> None:
    path = tmp_path / "f"
    path.write_bytes(os.urandom(2 * MIB + 1))
    total = new("CRC32C")
    total.update(path.read_bytes())
    told = encode(total.digest())
    for _ in range(2):
        secured.answers(200, etag='"e"', x_amz_checksum_crc32c=told)
    options = TransportOptions(tls=TlsOptions(ca_file=certificate), environment={})
    with Transport(options) as transport:
        credentials = Credentials("key", Secret("secret"))
        client = S3Client(Endpoint.parse(secured.url), credentials, transport=transport)
        with Transfers(client) as transfers:
            transfers.upload_file(path, "b", "k")
        client.put_object("b", "k", path.read_bytes())
    framed, whole = secured.received
    assert framed.headers["x-amz-content-sha256"] == "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
    decoder = ChunkedDecoder(
        decoded_bytes=int(framed.headers["x-amz-decoded-content-length"]),
        trailers=[framed.headers["x-amz-trailer"]],
    )
    assert b"".join(decoder.feed(framed.body)) == path.read_bytes()
    assert decoder.finish() == {"x-amz-checksum-crc32c": encode(total.digest())}
    assert whole.headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"
    assert whole.headers["x-amz-checksum-crc32c"] == encode(total.digest())
    assert whole.body == path.read_bytes()


def test_what_comes_behind_an_answer_is_not_taken_for_the_next_one(certificate: Path) -> None:
    """The rest of a record is with TLS, where the kernel does not know of it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"

    def serve() -> None:
        for rest in (head + b"no", b""):
            with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                peer.recv(65536)
                peer.sendall(head)
                peer.sendall(b"ok" + rest)
                peer.recv(1)

    tls = TlsOptions(ca_file=certificate)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Transport(TransportOptions(tls=tls, environment={})) as transport,
    ):
        thread = threading.Thread(target=serve)
        thread.start()
        sent = Request("GET", "https", "127.0.0.1", listener.getsockname()[1], "/", {"host": "h"})
        for _ in range(2):
            buffer = memoryview(bytearray(2))
            with transport.send(sent) as response:
                assert response.read_into(buffer) == 2
            assert bytes(buffer) == b"ok"
    thread.join()
