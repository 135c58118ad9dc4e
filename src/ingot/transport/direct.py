"""Connections that go straight to the peer: made, kept for the next request, and given up."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ingot.base.errors import NetworkError
from ingot.base.units import KIB
from ingot.transport.cord import Cord, held
from ingot.transport.errors import (
    UnreachedError,
    broken,
    is_tls_error,
    timed_out,
    tls_error,
    unreachable,
    unresolved,
)
from ingot.transport.heads import ProtocolError, render_head
from ingot.transport.http1 import (
    AnswerBody,
    Connection,
    StaleError,
    cut_socket,
)
from ingot.transport.names import addresses
from ingot.transport.options import TransportOptions

if TYPE_CHECKING:
    import ssl

# What is worth waiting for, to keep a connection.
_DRAIN_BYTES_MAX = 64 * KIB
# Over all hosts: descriptors are few, and with buckets in their names hosts are many.
IDLE_MAX = 256
# Routers on the way forget about as soon, and say nothing to who goes on.
IDLE_S = 60.0

Origin = tuple[str, str, int]
Body = bytes | Callable[[], Iterable[bytes]]


class Outgoing(NamedTuple):
    """A request, complete."""

    origin: Origin
    method: str
    target: str
    headers: Mapping[str, str]
    body: Body


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
        *,
        give_back: Callable[[], None],
        give_up: Callable[[], None],
        cord: Cord,
        authority: str,
    ) -> None:
        self.status = status
        self.headers = headers
        self._body = body
        self._give_back = give_back
        self._give_up = give_up
        self._cord = cord
        self._authority = authority
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
        self._cord.check()
        return network_error(error, self._authority)

    def _settle(self) -> None:
        if self._body.is_read and not self._is_over:
            self._is_over = True
            self._give_back()

    def _end(self) -> None:
        self._is_over = True
        self._give_up()


class DirectPool:
    """Makes requests over connections of its own; safe to share between threads.

    Args:
        options: see there.
        context: makes the TLS context, when it is first needed.
        monotonic_s: tells the time.
    """

    def __init__(
        self,
        options: TransportOptions,
        context: Callable[[], ssl.SSLContext],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = options
        self._context = context
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        # By host, the one used last at the end; each with since when, the newest last.
        self._idle: dict[Origin, list[tuple[Connection, float]]] = {}
        self._idle_count = 0
        self._is_closed = False

    def send(self, request: Outgoing) -> DirectAnswer:
        """Send a request and return its answer.

        Raises:
            NetworkError: none came.
            OSError: what yields the body raised it.
        """
        head = render_head(request.method, request.target, request.headers)
        is_repeated = False
        while True:
            try:
                connection = self._kept(request.origin) or self._dialled(request.origin)
                answer = self._asked(connection, request, head)
            except StaleError:
                # The peer closed it while it was idle: that is no failure, and takes no pause.
                is_repeated = True
            except UnreachedError as error:
                if not is_repeated:
                    raise
                # Before it went away it may have done what it was asked for.
                raise NetworkError(error.message, hint=error.hint) from error.__cause__
            else:
                answer.is_repeated = is_repeated
                return answer

    def close(self) -> None:
        """Close every connection that is idle; those in use close when they are given back."""
        with self._lock:
            self._is_closed = True
            idle = [connection for kept in self._idle.values() for connection, _ in kept]
            self._idle.clear()
            self._idle_count = 0
        for connection in idle:
            connection.close()

    def _asked(self, connection: Connection, request: Outgoing, head: bytes) -> DirectAnswer:
        origin, body = request.origin, request.body
        authority = authority_of(origin)
        cord = held()

        def give_back() -> None:
            cord.untie(connection)
            self._keep(origin, connection)

        def give_up() -> None:
            cord.untie(connection)
            connection.close()

        try:
            cord.tie(connection)
            connection.send(head, body if isinstance(body, bytes) else _separated(body))
            status, headers = connection.receive_head()
            answer = AnswerBody(connection, request.method, status, headers)
        except _BodyError as error:
            give_up()
            raise error.original from None
        except StaleError:
            give_up()
            raise
        except (OSError, ProtocolError) as error:
            give_up()
            cord.check()
            raise network_error(error, authority) from error
        except BaseException:
            give_up()
            raise
        return DirectAnswer(
            status,
            headers,
            answer,
            give_back=give_back,
            give_up=give_up,
            cord=cord,
            authority=authority,
        )

    def _kept(self, origin: Origin) -> Connection | None:
        while True:
            with self._lock:
                idle = self._idle.get(origin)
                if not idle:
                    return None
                connection, since_s = idle.pop()
                self._idle_count -= 1
            if self._monotonic_s() - since_s < IDLE_S and not connection.is_dropped():
                return connection
            connection.close()

    def _keep(self, origin: Origin, connection: Connection) -> None:
        superfluous: Connection | None = connection
        with self._lock:
            idle = self._idle.pop(origin, [])
            if (
                connection.is_reusable
                and not connection.has_rest
                and not self._is_closed
                and len(idle) < self._options.connections_max
            ):
                idle.append((connection, self._monotonic_s()))
                self._idle[origin] = idle
                superfluous = self._oldest() if self._idle_count == IDLE_MAX else None
                self._idle_count += superfluous is None
            elif idle:
                self._idle[origin] = idle
        if superfluous is not None:
            superfluous.close()

    def _oldest(self) -> Connection:
        """Take the one that is least likely to be asked for."""
        origin, idle = next((origin, idle) for origin, idle in self._idle.items() if idle)
        connection, _ = idle.pop(0)
        if not idle:
            del self._idle[origin]
        return connection

    def _dialled(self, origin: Origin) -> Connection:
        scheme, host, port = origin
        authority = authority_of(origin)
        cord = held()
        try:
            sock = connected(
                (self._options.resolved(host, port), port), self._options.connect_timeout_s, cord
            )
        except socket.gaierror as error:
            raise unresolved(authority) from error
        except OSError as error:
            cord.check()
            raise unreachable(authority, error) from error
        try:
            if scheme == "https":
                secured = self._context().wrap_socket(
                    sock, server_hostname=host, do_handshake_on_connect=False
                )
                sock = secured
                with cord.tied(_Dialled(sock)):
                    secured.do_handshake()
            return Connection(sock, self._options.read_timeout_s)
        except OSError as error:
            sock.close()
            cord.check()
            raise network_error(error, authority) from error
        except BaseException:
            sock.close()
            raise


class _Dialled:
    """A connection in the making, as it hangs on a cord."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def cut(self) -> None:
        cut_socket(self._socket)


def connected(place: tuple[str, int], timeout_s: float, cord: Cord) -> socket.socket:
    """Connect to the first address of a name that takes it.

    As `socket.create_connection` does, whose sockets nobody else can end.
    """
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in addresses(*place, cord):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            sock.settimeout(timeout_s)
            with cord.tied(_Dialled(sock)):
                sock.connect(address)
        except OSError as error:
            failure = error
            if sock is not None:
                sock.close()
        except BaseException:
            if sock is not None:
                sock.close()
            raise
        else:
            return sock
    raise failure


class _BodyError(Exception):
    """Carries an OSError of the body past those of the connection."""

    def __init__(self, original: OSError) -> None:
        super().__init__()
        self.original = original


def _separated(body: Callable[[], Iterable[bytes]]) -> Callable[[], Iterator[bytes]]:
    def blocks() -> Iterator[bytes]:
        try:
            yield from body()
        except OSError as error:
            raise _BodyError(error) from error

    return blocks


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
