"""Requests that are begun: sent, and their answers waited for later."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import NetworkError
from ingot.base.secret import Secret
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceNotFoundError
from ingot.s3client.transfer import Transfers
from ingot.transport.cord import Cord, CutError
from ingot.transport.pool import Transport

WAIT_S = 30


@pytest.fixture
def client(scripted: Any, transport: Transport) -> S3Client:
    credentials = Credentials("key", Secret("secret"))
    return S3Client(Endpoint.parse(scripted.url), credentials, transport=transport)


class Patient:
    """A server that answers none of so many requests before it has them all."""

    def __init__(self, count: int) -> None:
        self._all = threading.Barrier(count)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._answer) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            self._all.wait(WAIT_S)
            key = head.split(b" ", 2)[1].rpartition(b"/")[2]
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
                % (len(key), key)
            )

    def close(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_S)
        self._listener.close()


@pytest.fixture
def patient() -> Iterator[Patient]:
    server = Patient(20)
    yield server
    server.close()


def test_one_thread_has_many_on_their_way(
    patient: Patient, transport: Transport, tmp_path: Path
) -> None:
    client = S3Client(Endpoint.parse(patient.url), None, transport=transport)
    with Transfers(client) as transfers:
        begun = [
            transfers.begin_download_file("b", f"key{number}", tmp_path / str(number), size_bytes=5)
            for number in range(20)
        ]
        assert list(tmp_path.iterdir()) == []
        for finish in begun:
            finish()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        str(number): b"key%d" % number for number in range(20)
    }


def test_what_failed_already_is_told_and_repeated_only_in_its_turn(
    scripted: Any, client: S3Client, slept: list[float]
) -> None:
    scripted.breaks()
    scripted.answers(503)
    scripted.answers(200, b"data")
    begun = client.begin_get_object("b", "k")
    assert slept == []
    with begun() as stream:
        assert stream.read() == b"data"
    assert len(slept) == 2


def test_where_nobody_listens_the_second_step_says_so(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = S3Client(Endpoint.parse(f"http://127.0.0.1:{port}"), None, transport=transport)
    begun = client.begin_put_object("b", "k", b"data")
    with pytest.raises(NetworkError, match=f"127.0.0.1:{port}"):
        begun()


def test_a_refusal_is_told_by_the_second_step(scripted: Any, client: S3Client) -> None:
    scripted.refuses(404, "NoSuchKey")
    begun = client.begin_get_object("b", "k")
    with pytest.raises(ServiceNotFoundError):
        begun()


def test_an_upload_that_is_refused_for_its_region_is_made_anew(
    scripted: Any, client: S3Client
) -> None:
    scripted.refuses(400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>")
    scripted.answers(200, etag='"e"')
    assert client.begin_put_object("b", "k", b"data")().etag == "e"
    assert [received.body for received in scripted.received] == [b"data", b"data"]
    assert "/eu-west-3/s3/" in scripted.received[1].headers["authorization"]


def test_a_small_file_is_read_before_its_upload_is_waited_for(
    scripted: Any, client: S3Client, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    scripted.answers(503)
    scripted.answers(200, etag='"e"')
    with Transfers(client) as transfers:
        begun = transfers.begin_upload_file(path, "b", "k")
        path.write_bytes(b"after, and longer")
        begun()
    assert [received.body for received in scripted.received] == [b"before", b"before"]


def test_the_cord_that_is_held_at_the_beginning_ends_it(transport: Transport) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = S3Client(Endpoint.parse(url), None, transport=transport)
        cord = Cord()
        with cord.hold():
            begun = client.begin_get_object("b", "k")
        cord.cut()
        with pytest.raises(CutError):
            begun()
