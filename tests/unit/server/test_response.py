import asyncio
from collections.abc import AsyncGenerator

import pytest

from ingot.base.units import KIB, MIB
from ingot.server.request import Message
from ingot.server.response import Response, document, empty, header, transmit
from ingot.store.readbudget import PIECE_BYTES_MIN


class Connection:
    """An ASGI connection whose client leaves after `reads` pieces, or never."""

    def __init__(self, reads: int | None = None) -> None:
        self.sent: list[Message] = []
        self._reads = reads
        self._left = asyncio.Event()

    async def receive(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if self._reads is not None and len(self.sent) > self._reads:
            self._left.set()
        await asyncio.sleep(0)

    @property
    def body(self) -> bytes:
        return b"".join(m["body"] for m in self.sent if m["type"] == "http.response.body")


def test_a_document_goes_out_in_one_piece_with_its_length() -> None:
    connection = Connection()
    response = document(b"<a/>", status=404)

    asyncio.run(transmit(response, connection.receive, connection.send))

    start, body = connection.sent
    assert start["status"] == 404
    assert start["headers"] == [
        (b"content-type", b"application/xml"),
        (b"content-length", b"4"),
    ]
    assert body == {"type": "http.response.body", "body": b"<a/>"}
    assert response.sent_bytes == 4


def test_an_empty_answer_has_a_length_unless_its_status_forbids_one() -> None:
    assert empty(200, {"location": "/b"}).headers == [
        (b"location", b"/b"),
        (b"content-length", b"0"),
    ]
    assert empty(204).headers == []
    assert empty(304).headers == []


def test_a_stream_goes_out_piece_by_piece() -> None:
    async def scenario() -> tuple[Connection, Response]:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"one"
            yield b"two"

        connection = Connection()
        response = Response(200, [], pieces())
        await transmit(response, connection.receive, connection.send)
        return connection, response

    connection, response = asyncio.run(scenario())

    assert connection.body == b"onetwo"
    assert not connection.sent[-1].get("more_body", False)
    assert response.sent_bytes == 6


@pytest.mark.parametrize(
    ("piece_bytes", "message_bytes"),
    [(300 * KIB, 64 * KIB), (PIECE_BYTES_MIN + 1, PIECE_BYTES_MIN + 1), (PIECE_BYTES_MIN, KIB)],
)
def test_the_listener_gets_little_at_a_time_for_readers_in_a_crowd(
    piece_bytes: int, message_bytes: int
) -> None:
    pieces = [bytes([number]) * piece_bytes for number in (1, 2)]

    async def scenario() -> Connection:
        async def stream() -> AsyncGenerator[bytes, None]:
            for piece in pieces:
                yield piece

        connection = Connection()
        await transmit(Response(200, [], stream()), connection.receive, connection.send)
        return connection

    connection = asyncio.run(scenario())

    assert connection.body == b"".join(pieces)
    assert max(len(message["body"]) for message in connection.sent[1:]) == message_bytes


def test_a_stream_stops_and_is_closed_when_the_client_leaves() -> None:
    closed = []

    async def scenario() -> Connection:
        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                for _ in range(1000):
                    yield b"x"
            finally:
                closed.append(True)

        connection = Connection(reads=3)
        await transmit(Response(200, [], pieces()), connection.receive, connection.send)
        return connection

    connection = asyncio.run(scenario())

    assert len(connection.body) < 20
    assert closed == [True]


def test_header_values_beyond_latin_1_go_out_as_utf_8() -> None:
    assert header("x", "é") == (b"x", b"\xe9")
    assert header("x", "€") == (b"x", "€".encode())


@pytest.mark.parametrize(
    ("message_s", "last_message_bytes"),
    [(0.0001, 256 * KIB), (0.01, 64 * KIB)],
    ids=["a fast reader", "a slow reader"],
)
def test_who_has_read_much_in_little_time_gets_larger_messages(
    message_s: float, last_message_bytes: int
) -> None:
    async def scenario() -> list[int]:
        now_s = 0.0

        async def pieces() -> AsyncGenerator[bytes, None]:
            for _ in range(8):
                yield bytes(MIB)

        async def send(message: Message) -> None:
            nonlocal now_s
            now_s += message_s
            sizes.append(len(message.get("body", b"")))

        sizes: list[int] = []
        # A clock of our own.
        asyncio.get_running_loop().time = lambda: now_s  # type: ignore[method-assign] # as said
        await transmit(Response(200, [], pieces()), Connection().receive, send)
        return sizes

    sizes = [size for size in asyncio.run(scenario()) if size]

    assert sum(sizes) == 8 * MIB
    assert sizes[: 4 * MIB // (64 * KIB)] == [64 * KIB] * (4 * MIB // (64 * KIB))
    assert sizes[-1] == last_message_bytes
