"""The transport on a wire that misbehaves: what is sent again, what is not, and what is said."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.testing.clock import FakeClock
from ingot.transport.direct import IDLE_MAX, IDLE_S, Body, DirectPool, Outgoing
from ingot.transport.options import TlsOptions, TransportOptions
from ingot.transport.pool import Request, Transport


def request(scripted: Any, **changes: Any) -> Request:
    plain = Request("GET", "http", "127.0.0.1", scripted.port, "/a//../b?c", {"host": "h"})
    return replace(plain, **changes)


def read(transport: Transport, sent: Request) -> tuple[int, bytes]:
    with transport.send(sent) as response:
        return response.status, response.read(1000)


def test_what_is_asked_goes_out_as_it_is(scripted: Any, transport: Transport) -> None:
    scripted.answers(200, b"data", x_amz_meta_a="b")
    with transport.send(request(scripted)) as response:
        assert (response.headers["x-amz-meta-a"], response.read(4)) == ("b", b"data")
    (received,) = scripted.received
    assert received.line == "GET /a//../b?c HTTP/1.1"
    assert received.headers["host"] == "h"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_service_that_is_busy_is_asked_again(
    scripted: Any, transport: Transport, slept: list[float], status: int
) -> None:
    scripted.answers(status)
    scripted.answers(200, b"data")
    assert read(transport, request(scripted)) == (200, b"data")
    assert len(slept) == 1


@pytest.mark.parametrize("status", [204, 304, 400, 403, 404, 409, 412, 501])
def test_an_answer_that_will_not_change_is_taken(
    scripted: Any, transport: Transport, status: int
) -> None:
    scripted.answers(status)
    assert read(transport, request(scripted))[0] == status
    assert len(scripted.received) == 1


def test_after_the_last_attempt_the_answer_is_what_it_is(
    scripted: Any, transport: Transport
) -> None:
    for _ in range(3):
        scripted.answers(503, b"busy")
    assert read(transport, request(scripted)) == (503, b"busy")
    assert len(scripted.received) == 3


def test_a_service_may_say_how_long_to_wait(
    scripted: Any, transport: Transport, slept: list[float]
) -> None:
    scripted.answers(503, retry_after="7")
    scripted.answers(503, retry_after="99999")
    scripted.answers(200)
    read(transport, request(scripted))
    assert slept[0] == 7
    assert slept[1] == Backoff().limit_s


def test_a_body_is_sent_anew(scripted: Any, transport: Transport) -> None:
    made: list[int] = []

    def body() -> Iterator[bytes]:
        made.append(1)
        yield b"two "
        yield b"blocks"

    bodies: tuple[Body, ...] = (body, b"two blocks")
    for sent in bodies:
        scripted.received.clear()
        scripted.breaks()
        scripted.answers(200)
        headers = {"host": "h", "content-length": "10"}
        read(transport, request(scripted, method="PUT", headers=headers, body=sent))
        assert [received.body for received in scripted.received] == [b"two blocks"] * 2
    assert len(made) == 2


def test_a_body_that_fails_is_no_broken_connection(scripted: Any, transport: Transport) -> None:
    def body() -> Iterator[bytes]:
        yield b"a"
        raise PermissionError

    headers = {"host": "h", "content-length": "10"}
    with pytest.raises(PermissionError):
        transport.send(request(scripted, method="PUT", headers=headers, body=body))


def test_a_body_cut_short_is_told(scripted: Any, transport: Transport) -> None:
    scripted.answers(200, b"0123456789", cut=5)
    with transport.send(request(scripted)) as response, pytest.raises(NetworkError, match="broke"):
        response.read(100)


def test_a_long_document_is_cut_off(scripted: Any, transport: Transport) -> None:
    scripted.answers(200, b"x" * 101)
    with (
        transport.send(request(scripted)) as response,
        pytest.raises(NetworkError, match="more than 100 bytes"),
    ):
        response.read(100)


def test_nobody_there(transport: Transport, slept: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NetworkError, match=f"127.0.0.1:{port} cannot be reached") as caught:
        transport.send(Request("GET", "http", "127.0.0.1", port, "/", {"host": "h"}))
    assert caught.value.hint
    assert len(slept) == 2


def test_a_peer_that_breaks_off_tls_is_asked_again(scripted: Any, transport: Transport) -> None:
    # A balancer does that while the service behind it starts anew.
    with pytest.raises(NetworkError, match="TLS with") as caught:
        transport.send(request(scripted, scheme="https"))
    assert scripted.connections == 3
    assert caught.value.hint


def test_a_port_that_speaks_no_tls(transport: Transport) -> None:
    said = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        sent = Request("GET", "https", "127.0.0.1", port, "/", {"host": "h"})
        with pytest.raises(NetworkError, match="TLS with"):
            transport.send(sent)
        thread.join()


def test_silence_is_a_time_out() -> None:
    options = TransportOptions(read_timeout_s=0.05, backoff=Backoff(attempts=1), environment={})
    with socket.create_server(("127.0.0.1", 0)) as listener, Transport(options) as transport:
        port = listener.getsockname()[1]
        with pytest.raises(NetworkError, match="did not answer in time"):
            transport.send(Request("GET", "http", "127.0.0.1", port, "/", {"host": "h"}))


@pytest.mark.parametrize("path", ["/b/k", "/b/a/../k", "/b/./k", "/b//k/.", "/b/x%252fy"])
def test_a_proxy_gets_the_whole_address_as_it_is(scripted: Any, path: str) -> None:
    proxy = scripted.url.replace("//", "//me:pass@")
    options = TransportOptions(environment={"http_proxy": proxy})
    scripted.answers(200, b"by proxy")
    with Transport(options) as transport:
        sent = Request("GET", "http", "s3.example.com", 9000, path, {"host": "s3.example.com"})
        assert read(transport, sent) == (200, b"by proxy")
    (received,) = scripted.received
    assert received.line == f"GET http://s3.example.com:9000{path} HTTP/1.1"
    assert received.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="


def test_a_tunnel_is_asked_for_by_who_may(scripted: Any) -> None:
    proxy = scripted.url.replace("//", "//me:pass@")
    options = TransportOptions(environment={"https_proxy": proxy}, backoff=Backoff(attempts=1))
    scripted.answers(407)
    sent = Request("GET", "https", "s3.example.com", 9000, "/b/k", {"host": "s3.example.com"})
    with Transport(options) as transport, pytest.raises(NetworkError, match="through the proxy"):
        transport.send(sent)
    (received,) = scripted.received
    assert received.line.startswith("CONNECT s3.example.com:9000 ")
    assert received.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_told(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment = {"all_proxy": f"http://127.0.0.1:{port}"}
    options = TransportOptions(environment=environment, backoff=Backoff(attempts=1))
    sent = Request("GET", scheme, "s3.example.com", 9000, "/", {"host": "s3.example.com"})
    with Transport(options) as transport, pytest.raises(NetworkError, match="proxy") as caught:
        transport.send(sent)
    assert "NO_PROXY" in (caught.value.hint or "")


class Keeper:
    """A server that answers everything and leaves closing connections to the client."""

    ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=512)
        self._host = host
        self.port = self._listener.getsockname()[1]
        self.accepted: list[socket.socket] = []
        self.accepting = threading.Thread(target=self._accept)
        self.accepting.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if not connection.recv(65536):
                connection.close()
                return  # the one that ends us
            connection.sendall(self.ANSWER)
            self.accepted.append(connection)

    def close(self) -> None:
        socket.create_connection((self._host, self.port)).close()
        self.accepting.join()
        self._listener.close()
        for connection in self.accepted:
            connection.close()

    @property
    def open(self) -> int:
        """How many the client has not closed."""
        return len(self.accepted) - len(select.select(self.accepted, [], [], 0)[0])


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    made = Keeper()
    yield made
    made.close()


def test_an_address_of_version_six() -> None:
    keeper = Keeper("::1")
    with Transport(TransportOptions(environment={"http_proxy": "http://[::1]:1"})) as transport:
        sent = Request("GET", "http", "::1", keeper.port, "/", {"host": "h"})
        assert read(transport, sent) == (200, b"ok")
    keeper.close()


def test_idle_connections_to_many_hosts_are_not_kept_for_ever(keeper: Keeper) -> None:
    # With buckets in their names, a service has as many hosts as buckets.
    hosts = [f"b{number}.example.com" for number in range(IDLE_MAX + 20)]
    resolve = {(host, None): "127.0.0.1" for host in hosts}
    with Transport(TransportOptions(environment={}, resolve=resolve)) as transport:
        for host in hosts:
            sent = Request("GET", "http", host, keeper.port, "/", {"host": "h"})
            assert read(transport, sent) == (200, b"ok")
        assert keeper.open == IDLE_MAX


def test_a_connection_that_was_idle_for_long_is_not_trusted(keeper: Keeper) -> None:
    clock = FakeClock()
    pool = DirectPool(TransportOptions(), ssl.create_default_context, monotonic_s=clock.monotonic_s)
    sent = Outgoing(("http", "127.0.0.1", keeper.port), "GET", "/", {"host": "h"}, b"")
    for _ in range(2):
        assert b"".join(pool.send(sent).pieces(100)) == b"ok"
        # A router between forgets it meanwhile, and then says nothing.
        clock.advance(IDLE_S + 1)
    assert (len(keeper.accepted), keeper.open) == (2, 1)
    pool.close()


def test_connections_are_kept(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        sent = Request("GET", "http", "127.0.0.1", port, "/", {"host": "h"})

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for _ in range(2):
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        assert [read(transport, sent) for _ in range(2)] == [(200, b"ok")] * 2
        thread.join()


@pytest.mark.parametrize("is_secured", [False, True])
def test_a_rest_that_does_not_come_is_not_waited_for(
    scripted: Any, certificate: Path, is_secured: bool
) -> None:
    # Who is interrupted because a peer is silent would wait for it again.
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    options = TransportOptions(
        read_timeout_s=3600, environment={}, tls=TlsOptions(ca_file=certificate)
    )
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener, Transport(options) as transport:
        port = listener.getsockname()[1]

        def serve() -> None:
            connection, _ = listener.accept()
            if is_secured:
                connection = tls.wrap_socket(connection, server_side=True)
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123")
                ended.wait()

        thread = threading.Thread(target=serve)
        thread.start()
        scheme = "https" if is_secured else "http"
        transport.send(Request("GET", scheme, "127.0.0.1", port, "/", {"host": "h"})).close()
        ended.set()
        thread.join()


@pytest.mark.parametrize("host", ["a..b", ".a", f"{'a' * 64}.b"])
def test_a_name_that_is_none_is_told(host: str, transport: Transport) -> None:
    with pytest.raises(NetworkError, match="cannot be resolved"):
        transport.send(Request("GET", "http", host, 80, "/", {"host": host}))
