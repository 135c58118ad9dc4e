"""HTTP/1.1 on one connection: framing however it is cut, what is refused, and what is given up."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingot.base.errors import UsageError
from ingot.base.units import KIB, MIB
from ingot.transport import http1
from ingot.transport.heads import ProtocolError, parse_head, render_head
from ingot.transport.http1 import AnswerBody, Connection, StaleError


class Line:
    """Both ends of a connection; the peer's is a plain socket."""

    def __init__(self, timeout_s: float = 10.0) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        ours = socket.create_connection(listener.getsockname())
        self.peer, _ = listener.accept()
        listener.close()
        self.connection = Connection(ours, timeout_s)

    def close(self) -> None:
        self.connection.close()
        self.peer.close()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def answer(line: Line, pieces: list[bytes], *, method: str = "GET") -> tuple[int, Any, AnswerBody]:
    """Send what the peer says and close its side; return the answer as we read it."""
    for piece in pieces:
        line.peer.sendall(piece)
    line.peer.shutdown(socket.SHUT_WR)
    status, headers = line.connection.receive_head()
    return status, headers, AnswerBody(line.connection, method, status, headers)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


_FRAMED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: 1\r\nx-a:2 \r\n\r\n0123456789",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a:2 \r\n\r\n"
    b"3\r\n012\r\n07;name=value\r\n3456789\r\n0\r\nTrailer: x\r\n\r\n",
    "end": b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:2 \r\n\r\n0123456789",
}


@pytest.mark.parametrize("framing", _FRAMED)
@given(places=st.lists(st.integers(0, 200), max_size=6), limit=st.integers(1, 20))
def test_a_body_is_the_same_however_it_is_framed_and_cut(
    framing: str, places: list[int], limit: int
) -> None:
    for into_buffer in (False, True):
        line = Line()
        try:
            status, headers, body = answer(line, cut(_FRAMED[framing], places))
            if into_buffer:
                buffer = memoryview(bytearray(limit))
                read = b"".join(
                    bytes(buffer[:size]) for size in iter(partial(body.read_into, buffer), 0)
                )
            else:
                pieces = list(body.pieces(limit))
                assert max(map(len, pieces)) <= limit
                read = b"".join(pieces)
        finally:
            line.close()
        assert (status, headers["x-a"], read) == (200, "1, 2", b"0123456789")
        assert body.is_read


@given(data=st.binary(max_size=200))
def test_whatever_comes_as_a_head_is_read_or_refused(data: bytes) -> None:
    try:
        status, headers, _ = parse_head(data)
    except ProtocolError:
        return
    assert 0 <= status <= 999
    assert all(name == name.lower().strip() and name for name in headers)


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: Close", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: Keep-Alive", True),
        (b"HTTP/1.1 200 OK", False),
    ],
)
def test_a_connection_is_kept_if_both_sides_want_it(line: Line, head: bytes, kept: bool) -> None:
    answer(line, [head + b"\r\n\r\n"])
    assert line.connection.is_reusable is kept


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na: 1\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na : 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"HTTP/1.1 200 OK\r\n" + b"a: " + b"b" * 300_000,
    ],
)
def test_what_is_no_http_is_refused(line: Line, said: bytes) -> None:
    with pytest.raises(ProtocolError):
        answer(line, [said])


@pytest.mark.parametrize(
    "said",
    [
        b"content-length: 5\r\n\r\n0123",
        b"transfer-encoding: chunked\r\n\r\n5\r\n0123",
        b"transfer-encoding: chunked\r\n\r\n5\r\n01234\r\n",
        b"transfer-encoding: chunked\r\n\r\n5\r\n012345\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-5\r\n01234\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n0x5\r\n01234\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n" + b"0" * 20_000,
    ],
)
def test_a_body_that_ends_too_early_is_no_body(line: Line, said: bytes) -> None:
    _, _, body = answer(line, [b"HTTP/1.1 200 OK\r\n" + said])
    with pytest.raises(ProtocolError):
        list(body.pieces(1000))


@pytest.mark.parametrize(
    ("read_s", "counts"),
    [(0.001, [256 * KIB, MIB, MIB]), (0.1, [256 * KIB] * 3)],
    ids=["in no time", "slowly"],
)
def test_reads_grow_where_bytes_come_in_no_time(
    line: Line, monkeypatch: pytest.MonkeyPatch, read_s: float, counts: list[int]
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(http1.time, "monotonic", lambda: next(ticks) * read_s)
    sender = threading.Thread(target=line.peer.sendall, args=[bytes(3 * MIB)])
    sender.start()

    buffer = memoryview(bytearray(2 * MIB))
    assert [line.connection.receive_into(buffer) for _ in counts] == counts

    left = 3 * MIB - sum(counts)
    while left:
        left -= line.connection.receive_into(buffer[:left])
    sender.join()


def test_a_head_has_no_body(line: Line) -> None:
    _, headers, body = answer(
        line, [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], method="HEAD"
    )
    assert (headers["content-length"], list(body.pieces(10))) == ("5", [])


def test_interim_answers_are_passed_over(line: Line) -> None:
    status, _, _ = answer(
        line,
        [
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\na: b\r\n\r\n",
            b"HTTP/1.1 204 -\r\n\r\n",
        ],
    )
    assert status == 204


def test_interim_answers_have_an_end(line: Line) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    with pytest.raises(ProtocolError, match="interim"):
        answer(line, [interim * 65, b"HTTP/1.1 204 -\r\n\r\n"])


def test_trailers_have_an_end(line: Line) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    trailer = b"name: " + b"x" * 1018 + b"\r\n"
    _, _, body = answer(line, [head + trailer * 65 + b"\r\n"])
    with pytest.raises(ProtocolError, match="trailers"):
        list(body.pieces(10))


def test_a_silent_peer_is_left_after_a_while() -> None:
    line = Line(timeout_s=0.05)
    try:
        with pytest.raises(TimeoutError):
            line.connection.receive_head()
        with pytest.raises(TimeoutError):
            line.connection.send(b"head", b"x" * 50_000_000)
    finally:
        line.close()


def test_a_connection_that_was_closed_while_idle_is_stale(line: Line) -> None:
    line.peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    line.connection.receive_head()
    assert not line.connection.is_dropped()
    line.peer.close()
    with pytest.raises(StaleError):
        line.connection.receive_head()
    assert line.connection.is_dropped()


def test_a_refusal_that_comes_before_the_body_is_sent_is_read(line: Line) -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"

    def refuse() -> None:
        line.peer.recv(10)
        line.peer.sendall(refusal)
        line.peer.shutdown(socket.SHUT_RD)

    peer = threading.Thread(target=refuse)
    peer.start()

    def body() -> Iterator[bytes]:
        yield b"x"
        peer.join()
        yield b"y" * 1000

    line.connection.send(b"head", body)
    status, headers = line.connection.receive_head()
    assert (status, headers["content-length"]) == (403, "2")


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\u20ac"])
def test_no_header_can_make_another(value: str) -> None:
    with pytest.raises(UsageError):
        render_head("GET", "/", {"x-amz-meta-a": value})
    assert render_head("GET", "/", {"a": "\xe9"}) == b"GET / HTTP/1.1\r\na: \xe9\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "name",
        ":value",
        " name: value",
        "na me: value",
        "name : value",
        "a: b\nc: d",
        "a: b\rc: d",
    ],
)
def test_a_malformed_header_is_none(line: str) -> None:
    with pytest.raises(ProtocolError, match="malformed header"):
        parse_head(f"HTTP/1.1 200 OK\r\nfirst: 1\r\n{line}\r\nlast: 2".encode())


def test_headers_are_taken_without_the_blanks_around_them() -> None:
    head = b"HTTP/1.1 200 OK\r\nA:1\r\nb: \t2 3\t \r\nC:\r\nd: e: f\r\nB:4 "
    status, headers, is_kept = parse_head(head)
    assert (status, is_kept) == (200, True)
    assert headers == {"a": "1", "b": "2 3, 4", "c": "", "d": "e: f"}
