"""One HTTP/1.1 connection over a socket: a request goes out, its answer's head and body come in.

Written for many small requests: a head and a small body leave in one system call, an answer that
fits one buffer is read in one, and header names are the only strings made of it.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from ingot.base.units import KIB, MIB
from ingot.transport.errors import is_tls_error
from ingot.transport.heads import ProtocolError, parse_head
from ingot.transport.pieces import PieceReader

_HEAD_BYTES_MAX = 256 * KIB
_CHUNK_LINE_BYTES_MAX = 8 * KIB
_TRAILER_BYTES_MAX = 64 * KIB
# Before the final answer; servers send one or two.
_INTERIM_ANSWERS_MAX = 64
_READ_BYTES = 64 * KIB
# One wait for a body's bytes takes no more: who reads is to see them arrive. Where so much comes
# in no time, the next one may take more: fewer calls.
_FILL_BYTES = 256 * KIB
_FILL_BYTES_MAX = 1 * MIB
_NO_TIME_S = 0.005
# A body up to this size is copied behind the head, to leave with it.
_JOINED_BYTES_MAX = 64 * KIB
# A rest that nobody wants is not waited for, as by who was interrupted for the peer's silence.
_DRAIN_S_MAX = 0.5
_LENGTH = re.compile(r"[0-9]{1,19}")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,16}")
_BODILESS_STATUSES = frozenset({204, 304})


class StaleError(Exception):
    """A kept connection had been closed by the peer; nothing of the answer came."""


def cut_socket(sock: socket.socket) -> None:
    """End what waits for a socket, in whichever thread, at once; it is still to be closed."""
    # Whoever waits finds out what became of it, also if it is not connected any more, or not yet.
    with suppress(OSError):
        # That of TLS would also take the state from under the thread that uses it.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Connection:
    """A connection on which one request at a time is sent.

    Args:
        sock: connected, under TLS or not.
        timeout_s: how long the peer may neither take nor give anything.
    """

    def __init__(self, sock: socket.socket, timeout_s: float) -> None:
        self._socket = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # TLS gives no more than one of its records at a time, and takes no flags.
        self._fill = 0
        self._fill_bytes = _FILL_BYTES
        self._is_plain = type(sock) is socket.socket
        self._pending: Callable[[], int] | None = getattr(sock, "pending", None)
        self._timeout_s = timeout_s
        if self._is_plain:
            # The kernel keeps the time: with Python's own, each call is two.
            sock.settimeout(None)
            # A buffer is filled before it is handed over: fewer calls for a large body.
            self._fill = socket.MSG_WAITALL
        self.wait_for()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._rest = b""
        self._is_used = False
        self.is_reusable = True

    def wait_for(self, timeout_s: float | None = None) -> None:
        """Set how long the peer may be silent; None for what it was made with."""
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        if not self._is_plain:
            self._socket.settimeout(limit_s)
            return
        limit = struct.pack("ll", int(limit_s), int(limit_s % 1 * 1e6))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)

    def is_dropped(self) -> bool:
        """Tell whether the peer closed it, or sent what nobody asked for."""
        # What TLS has decrypted already is in no socket any more.
        return bool(self._poll.poll(0) or (self._pending and self._pending()))

    def cut(self) -> None:
        """End what waits for it, from another thread; who uses it meets the end and closes it."""
        cut_socket(self._socket)

    def close(self) -> None:
        """End it."""
        self.is_reusable = False
        self._socket.close()

    def send(self, head: bytes, body: bytes | Callable[[], Iterable[bytes]]) -> None:
        """Send a request.

        A peer that refuses a large body answers before it has it all; then the rest stays here
        and the answer is read.

        Raises:
            StaleError: it was closed since its last answer.
            OSError: it broke, or what yields the body raised it.
        """
        try:
            if isinstance(body, bytes):
                self._send_whole(head, body)
            else:
                self._send_all(head)
                for block in body():
                    self._send_all(block)
        except _EarlyEndError as early:
            self.is_reusable = False
            if not self._poll.poll(0):
                raise self._broken(early.cause) from early.cause
        except BaseException:
            self.close()
            raise

    def receive_head(self) -> tuple[int, dict[str, str]]:
        """Read up to the body of the final answer: its status and headers, by lower-case name.

        Raises:
            StaleError: it was closed since its last answer.
            ProtocolError: this is no HTTP, or it ended in the middle.
            OSError: it broke.
        """
        for _ in range(_INTERIM_ANSWERS_MAX + 1):
            status, headers, is_kept = parse_head(self._head())
            if status >= 200:
                # Not before: a new one that ends behind an interim answer is none that was idle.
                self._is_used = True
                self.is_reusable = self.is_reusable and is_kept
                return status, headers
            if status == 101:
                raise ProtocolError("the answer switches to another protocol")
        raise ProtocolError("there are only interim answers, and too many of them")

    def receive(self, limit_bytes: int) -> bytes:
        """Return up to that many bytes of the body; none at the connection's end."""
        rest = self._rest
        if rest:
            piece, self._rest = rest[:limit_bytes], rest[limit_bytes:]
            return piece
        return self._recv(limit_bytes)

    def receive_into(self, buffer: memoryview) -> int:
        """Put bytes of the body into the buffer; return how many, none at the connection's end."""
        if self._rest:
            piece = self.receive(len(buffer))
            buffer[: len(piece)] = piece
            return len(piece)
        room = buffer[: self._fill_bytes]
        began_s = time.monotonic()
        try:
            count = self._socket.recv_into(room, 0, self._fill)
        except BlockingIOError as error:
            raise TimeoutError from error
        is_fast = count >= _FILL_BYTES and time.monotonic() - began_s < _NO_TIME_S
        self._fill_bytes = _FILL_BYTES_MAX if is_fast else _FILL_BYTES
        return count

    def receive_line(self) -> bytes:
        """Return a line of the framing, without its end."""
        while (end := self._rest.find(b"\r\n")) < 0:
            if len(self._rest) > _CHUNK_LINE_BYTES_MAX:
                raise ProtocolError("a line of the answer has no end")
            piece = self._recv(_READ_BYTES)
            if not piece:
                raise ProtocolError("the answer ended too early")
            self._rest += piece
        line, self._rest = self._rest[:end], self._rest[end + 2 :]
        return line

    @property
    def has_rest(self) -> bool:
        """Whether bytes came that belong to nothing yet."""
        return bool(self._rest)

    def _head(self) -> bytes:
        data = self._rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            if len(data) > _HEAD_BYTES_MAX:
                raise ProtocolError("the head of the answer has no end")
            try:
                piece = self._recv(_READ_BYTES)
            except ConnectionError as error:
                raise self._broken(error) from error
            if not piece:
                if not data:
                    raise self._broken(ProtocolError("it was closed without an answer"))
                raise ProtocolError("the answer ended too early")
            data = data + piece if data else piece
        self._rest = data[end + 4 :]
        return data[:end]

    def _broken(self, cause: Exception) -> Exception:
        return StaleError() if self._is_used else cause

    def _recv(self, limit_bytes: int) -> bytes:
        try:
            return self._socket.recv(limit_bytes)
        except BlockingIOError as error:
            raise TimeoutError from error

    def _send_whole(self, head: bytes, body: bytes) -> None:
        if len(body) <= _JOINED_BYTES_MAX:
            self._send_all(head + body)
        else:
            self._send_all(head)
            self._send_all(body)

    def _send_all(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except BlockingIOError as error:
            raise TimeoutError from error
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _EarlyEndError(error) from error
        except OSError as error:
            if not is_tls_error(error, "SSLEOFError"):
                raise
            # The same under TLS; as what it is, it would be taken for a failure of TLS.
            raise _EarlyEndError(ConnectionResetError("it was closed")) from error


class _EarlyEndError(Exception):
    """The peer takes no more; what it said before can perhaps be read."""

    def __init__(self, cause: OSError) -> None:
        super().__init__()
        self.cause = cause


class AnswerBody:
    """The bytes behind an answer's head, as they are framed.

    Args:
        connection: where they come from.
        method: of the request: an answer to HEAD has no body.
        status: of the answer.
        headers: of the answer.

    Raises:
        ProtocolError: the framing makes no sense.
    """

    def __init__(
        self, connection: Connection, method: str, status: int, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._chunked: PieceReader | None = None
        # None: up to the end of the connection.
        self.remaining: int | None = None
        if method == "HEAD" or status in _BODILESS_STATUSES:
            self.remaining = 0
        elif "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                raise ProtocolError("the answer has an unknown transfer encoding")
            self._chunked = PieceReader(self._chunks(_READ_BYTES))
        elif (length := headers.get("content-length")) is not None:
            # Sent twice, it was joined.
            sizes = {size.strip() for size in length.split(",")}
            if len(sizes) != 1 or _LENGTH.fullmatch(size := sizes.pop()) is None:
                raise ProtocolError("the answer has no valid length")
            self.remaining = int(size)
        else:
            connection.is_reusable = False

    @property
    def is_read(self) -> bool:
        """Whether all of it was read."""
        return self.remaining == 0

    def pieces(self, limit_bytes: int) -> Iterator[bytes]:
        """Yield what comes, in pieces up to a size.

        Raises:
            ProtocolError, OSError: it ended too early, or the connection broke.
        """
        if self._chunked is not None:
            yield from self._chunks(limit_bytes)
            return
        while self.remaining != 0:
            wanted = limit_bytes if self.remaining is None else min(limit_bytes, self.remaining)
            piece = self._connection.receive(wanted)
            self._took(len(piece))
            if piece:
                yield piece

    def drain(self) -> None:
        """Read the rest, which nobody wants, if it comes soon.

        Raises:
            ProtocolError, OSError: as `pieces`.
        """
        self._connection.wait_for(_DRAIN_S_MAX)
        for _ in self.pieces(_READ_BYTES):
            pass
        self._connection.wait_for()

    def read_into(self, buffer: memoryview) -> int:
        """Put what comes next into a buffer and return its size; 0 at the end.

        Raises:
            ProtocolError, OSError: as `pieces`.
        """
        if self._chunked is not None:
            return self._chunked.read_into(buffer)
        if self.remaining == 0:
            return 0
        room = buffer if self.remaining is None else buffer[: self.remaining]
        size_bytes = self._connection.receive_into(room)
        self._took(size_bytes)
        return size_bytes

    def _took(self, size_bytes: int) -> None:
        if self.remaining is None:
            self.remaining = None if size_bytes else 0
        elif not size_bytes:
            raise ProtocolError("the answer ended too early")
        else:
            self.remaining -= size_bytes

    def _chunks(self, limit_bytes: int) -> Iterator[bytes]:
        connection = self._connection
        while self.remaining != 0:
            size = _chunk_size(connection.receive_line())
            if not size:
                self._skip_trailers()
                self.remaining = 0
                return
            while size:
                piece = connection.receive(min(size, limit_bytes))
                if not piece:
                    raise ProtocolError("the answer ended too early")
                size -= len(piece)
                yield piece
            if connection.receive_line():
                raise ProtocolError("a chunk of the answer is longer than it says")

    def _skip_trailers(self) -> None:
        """Read what follows the last chunk, of which nothing is used."""
        size_bytes = 0
        while line := self._connection.receive_line():
            size_bytes += len(line)
            if size_bytes > _TRAILER_BYTES_MAX:
                raise ProtocolError("the trailers of the answer have no end")


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if _CHUNK_SIZE.fullmatch(digits) is None:
        raise ProtocolError("the answer has a malformed chunk")
    return int(digits, 16)
