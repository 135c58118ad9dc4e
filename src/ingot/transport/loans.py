"""A connection while one request is on it, and the answer whose body is still on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ingot.base.errors import NetworkError
from ingot.base.units import KIB
from ingot.transport.cord import held
from ingot.transport.errors import broken, is_tls_error, timed_out, tls_error
from ingot.transport.heads import ProtocolError
from ingot.transport.http1 import AnswerBody, Connection

# What is worth waiting for, to keep a connection.
_DRAIN_BYTES_MAX = 64 * KIB

Origin = tuple[str, str, int]


class DirectAnswer:
    """An answer whose body is still on the wire.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name.
        is_repeated: whether the request went out before on a connection that was closed then.
    """

    is_repeated = False

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        body: AnswerBody,
        loan: Loan,
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._loan = loan
        self._is_over = False
        self._settle()

    def pieces(self, limit_bytes: int) -> Iterator[bytes]:
        """Yield the body in pieces up to a size.

        Raises:
            NetworkError: the connection broke before its end.
        """
        return self._guarded(self._body.pieces(limit_bytes))

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes of the body into a buffer and return how many; 0 at the end.

        Raises:
            NetworkError: the connection broke before the body's end.
        """
        try:
            size_bytes = self._body.read_into(buffer)
        except (OSError, ProtocolError) as error:
            raise self._failure(error) from error
        self._settle()
        return size_bytes

    def close(self) -> None:
        """Keep the connection if the body is nearly read, else close it."""
        if self._is_over:
            return
        remaining = self._body.remaining
        if remaining is not None and remaining <= _DRAIN_BYTES_MAX:
            try:
                self._body.drain()
            except (OSError, ProtocolError):
                self._end()
                return
            self._settle()
        else:
            self._end()

    def _guarded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from pieces
        except (OSError, ProtocolError) as error:
            raise self._failure(error) from error
        self._settle()

    def _failure(self, error: Exception) -> NetworkError:
        self._end()
        return self._loan.failure(error)

    def _settle(self) -> None:
        if self._body.is_read and not self._is_over:
            self._is_over = True
            self._loan.give_back()

    def _end(self) -> None:
        self._is_over = True
        self._loan.give_up()


class Loan:
    """A connection while a request is on it: tied to the cord of the thread that asks.

    Args:
        connection: on which one request is sent.
        origin: where it leads.
        keep: takes it when the answer was read.
    """

    __slots__ = ("_connection", "_keep", "_origin", "cord")

    def __init__(
        self,
        connection: Connection,
        origin: Origin,
        keep: Callable[[Origin, Connection], None],
    ) -> None:
        self._connection = connection
        self._origin = origin
        self._keep = keep
        self.cord = held()

    def answer(self, method: str) -> DirectAnswer:
        """Wait for the head of the answer to a request of this method.

        Raises:
            StaleError: the connection had been closed since its last answer.
            NetworkError: it broke.
        """
        try:
            status, headers = self._connection.receive_head()
            body = AnswerBody(self._connection, method, status, headers)
        except (OSError, ProtocolError) as error:
            self.give_up()
            raise self.failure(error) from error
        except BaseException:
            self.give_up()
            raise
        return DirectAnswer(status, headers, body, loan=self)

    def give_back(self) -> None:
        """Keep the connection for the next request."""
        self.cord.untie(self._connection)
        self._keep(self._origin, self._connection)

    def give_up(self) -> None:
        """Close it."""
        self.cord.untie(self._connection)
        self._connection.close()

    def failure(self, error: Exception) -> NetworkError:
        """Say what went wrong on it.

        Raises:
            CutError: it was cut.
        """
        self.cord.check()
        return network_error(error, authority_of(self._origin))


def authority_of(origin: Origin) -> str:
    """Return `host:port` for messages."""
    _, host, port = origin
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def network_error(error: Exception, authority: str) -> NetworkError:
    """Say what went wrong on a connection to `authority`."""
    if is_tls_error(error):
        return tls_error(error, authority)
    if isinstance(error, TimeoutError):
        return timed_out(authority)
    return broken(authority, error)
