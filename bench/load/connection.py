"""One keep-alive HTTP/1.1 connection that sends ready-made requests back to back.

It parses only what it must (status, Content-Length), so that the load program costs little beside
the server that it measures on the same machine.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, cast

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_HEAD_BYTES_MAX = 64 * 1024


class Address(Protocol):
    """Where connections go."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class Request(NamedTuple):
    """A request as bytes; many share one body.

    `answer_has_body` is false for HEAD, whose Content-Length speaks of what GET would send.
    """

    head: bytes
    body: bytes
    answer_has_body: bool


@dataclass
class Tally:
    """What all connections saw together; latencies in seconds, in order of completion."""

    latencies_s: list[float] = field(default_factory=list)
    received_bytes: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    first_failure: bytes = b""

    def count(self, status: int, times: int = 1) -> None:
        """Note answers."""
        self.statuses[status] = self.statuses.get(status, 0) + times


class Connection(asyncio.Protocol):
    """Sends what `requests` yields, one at a time, until it ends or `may_go_on` says no.

    Args:
        requests: the requests, shared with other connections.
        tally: where results go.
        may_go_on: asked before each request.
    """

    def __init__(
        self, requests: Iterator[Request], tally: Tally, may_go_on: Callable[[], bool]
    ) -> None:
        self._requests = requests
        self._tally = tally
        self._may_go_on = may_go_on
        self._head = b""
        self._remaining_bytes = 0
        self._in_body = False
        self._failed = False
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports implement the interface without deriving from it.
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        if not self._in_body:
            data = self._take_head(data)
            if not self._in_body:
                return
        self._tally.received_bytes += len(data)
        self._remaining_bytes -= len(data)
        if self._failed and len(self._tally.first_failure) < _HEAD_BYTES_MAX:
            self._tally.first_failure += data
        if self._remaining_bytes <= 0:
            self._tally.latencies_s.append(time.perf_counter() - self._sent_s)
            self._in_body = False
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(
                exc or ConnectionResetError("the server closed the connection")
            )

    def _next(self) -> None:
        request = next(self._requests, None) if self._may_go_on() else None
        if request is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._answer_has_body = request.answer_has_body
        self._sent_s = time.perf_counter()
        if request.body:
            self._transport.writelines((request.head, request.body))
        else:
            self._transport.write(request.head)

    def _take_head(self, data: bytes) -> bytes:
        """Take bytes of the head; return what follows it, once it is complete."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _HEAD_BYTES_MAX:
                self._transport.abort()
            return b""
        head, rest = self._head[: end + 2], self._head[end + 4 :]
        self._head = b""
        status = int(head[9:12])
        self._tally.count(status)
        self._failed = status >= 300 and not self._tally.first_failure
        length = _CONTENT_LENGTH.search(head)
        self._remaining_bytes = int(length[1]) if length and self._answer_has_body else 0
        self._in_body = True
        return rest


async def run(
    address: Address, requests: Iterator[Request], connections: int, may_go_on: Callable[[], bool]
) -> Tally:
    """Send requests over `connections` connections until they end, and return what came back."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: Connection(requests, tally, may_go_on), address.host, address.port
        )
        for _ in range(connections)
    ]
    await asyncio.gather(*(protocol.ended for _, protocol in opened))
    return tally
