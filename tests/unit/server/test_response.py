"""How answers go out: in messages that fit what a reader was granted."""

from __future__ import annotations

import asyncio

import pytest

from ingot.base.units import KIB
from ingot.server.response import Response, transmit
from ingot.store.readbudget import PIECE_BYTES_MIN


async def never():
    await asyncio.Event().wait()


def messages_of(body):
    """Return the bodies of the messages that an answer is sent in."""
    sent = []

    async def send(message):
        sent.append(message)

    response = Response(200, [], body)
    asyncio.run(transmit(response, never, send))
    bodies = [message["body"] for message in sent[1:]]
    assert response.sent_bytes == sum(map(len, bodies))
    return bodies


@pytest.mark.parametrize(
    ("piece_bytes", "message_bytes"),
    [(300 * KIB, 64 * KIB), (PIECE_BYTES_MIN + 1, PIECE_BYTES_MIN + 1), (PIECE_BYTES_MIN, KIB)],
)
def test_the_listener_gets_little_at_a_time_for_readers_in_a_crowd(piece_bytes, message_bytes):
    pieces = [bytes([number]) * piece_bytes for number in (1, 2)]

    async def stream():
        for piece in pieces:
            yield piece

    *bodies, end = messages_of(stream())
    assert end == b""
    assert b"".join(bodies) == b"".join(pieces)
    assert max(map(len, bodies)) == message_bytes


def test_a_whole_body_is_one_message():
    assert messages_of(b"x" * 300 * KIB) == [b"x" * 300 * KIB]
