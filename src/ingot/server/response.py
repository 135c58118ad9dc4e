"""What a handler answers, and how it goes out: whole at once, or streamed with back-pressure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping

import msgspec

from ingot.base.units import KIB, MIB
from ingot.server.request import Receive, Send
from ingot.store.readbudget import PIECE_BYTES_MIN

Headers = list[tuple[bytes, bytes]]

_XML = (b"content-type", b"application/xml")
_JSON = (b"content-type", b"application/json")
# The listener holds some messages for a slow reader before it lets us wait: so they are small.
# Measured: half the memory of larger ones, and no slower.
_SEND_BYTES = 64 * KIB
# Larger ones take up to a fifth of the CPU off a large body. They are for who has read, and faster
# than what is in between could hold, so much that it is no slow one.
_SEND_BYTES_FAST = 256 * KIB
_FAST_FROM_BYTES = 4 * MIB
_FAST_BYTES_PER_S = 100 * MIB
# It holds up to 16 of them, of any size. A piece of the smallest size says that many readers wait,
# most of them slow ones: what it holds for them is to be small too.
_SEND_BYTES_CROWDED = 1 * KIB
_NO_CONTENT = frozenset({204, 304})


class Response:
    """An answer on its way out.

    Attributes:
        status: the HTTP status.
        headers: lower-case names; the application adds what every answer has.
        body: bytes, or a generator of pieces whose sizes add up to the Content-Length in `headers`.
        sent_bytes: how much of the body was handed to the connection.
    """

    __slots__ = ("body", "headers", "sent_bytes", "status")

    def __init__(
        self, status: int, headers: Headers, body: bytes | AsyncGenerator[bytes, None] = b""
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.sent_bytes = 0


def header(name: str, value: str) -> tuple[bytes, bytes]:
    """Return a header as ASGI wants it; a value that Latin-1 cannot carry goes out as UTF-8."""
    try:
        return name.encode("latin-1"), value.encode("latin-1")
    except UnicodeEncodeError:
        return name.encode("latin-1"), value.encode()


def empty(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer without a body."""
    pairs = [header(name, value) for name, value in (headers or {}).items()]
    if status not in _NO_CONTENT:
        pairs.append((b"content-length", b"0"))
    return Response(status, pairs)


def document(
    body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an XML document as the answer."""
    pairs = [_XML, (b"content-length", b"%d" % len(body))]
    pairs += [header(name, value) for name, value in (headers or {}).items()]
    return Response(status, pairs, body)


def json_document(value: object, *, status: int = 200) -> Response:
    """Return something as a JSON document."""
    body = msgspec.json.encode(value)
    return Response(status, [_JSON, (b"content-length", b"%d" % len(body))], body)


async def transmit(response: Response, receive: Receive, send: Send) -> None:
    """Send an answer; a streamed one stops when the client goes away."""
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": response.headers,
        }
    )
    if isinstance(response.body, bytes):
        response.sent_bytes = len(response.body)
        await send({"type": "http.response.body", "body": response.body})
        return
    # `send` waits for a slow reader, but says nothing of one that left.
    gone = asyncio.ensure_future(_disconnected(receive))
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    try:
        async for piece in response.body:
            if gone.done():
                return
            step = _message_bytes(len(piece), response.sent_bytes, loop.time() - began_s)
            for start in range(0, len(piece), step):
                part = piece[start : start + step]
                response.sent_bytes += len(part)
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        await response.body.aclose()


def _message_bytes(piece_bytes: int, sent_bytes: int, took_s: float) -> int:
    """Return how large the messages of a piece may be, after so much went out in that time."""
    if piece_bytes <= PIECE_BYTES_MIN:
        return _SEND_BYTES_CROWDED
    if sent_bytes >= _FAST_FROM_BYTES and sent_bytes >= took_s * _FAST_BYTES_PER_S:
        return _SEND_BYTES_FAST
    return _SEND_BYTES


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
