"""Connections that go straight to the peer: made, kept for the next request, and given up."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ingot.base.errors import NetworkError
from ingot.transport.cord import Cord, held
from ingot.transport.errors import (
    UnreachedError,
    unreachable,
    unresolved,
)
from ingot.transport.heads import ProtocolError, render_head
from ingot.transport.http1 import (
    Connection,
    StaleError,
    cut_socket,
)
from ingot.transport.loans import DirectAnswer, Loan, Origin, authority_of, network_error
from ingot.transport.names import addresses
from ingot.transport.options import TransportOptions

if TYPE_CHECKING:
    import ssl

# Over all hosts: descriptors are few, and with buckets in their names hosts are many.
IDLE_MAX = 256
# Routers on the way forget about as soon, and say nothing to who goes on.
IDLE_S = 60.0

Body = bytes | Callable[[], Iterable[bytes]]


class Outgoing(NamedTuple):
    """A request, complete."""

    origin: Origin
    method: str
    target: str
    headers: Mapping[str, str]
    body: Body


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
        return self.begin(request)()

    def begin(self, request: Outgoing) -> Callable[[], DirectAnswer]:
        """Send a request; what is returned waits for its answer, and must be called.

        Raises:
            NetworkError: it could not be sent. What is returned raises as `send` does.
            OSError: what yields the body raised it.
        """
        head = render_head(request.method, request.target, request.headers)
        loan: Loan | None = None
        with contextlib.suppress(StaleError):
            loan = self._sent(request, head)
        return partial(self._answer, request, head, loan)

    def _answer(self, request: Outgoing, head: bytes, loan: Loan | None) -> DirectAnswer:
        """Wait for the answer of what was sent; None where the peer had closed the connection."""
        is_repeated = loan is None
        while True:
            try:
                loan = loan or self._sent(request, head)
                answer = loan.answer(request.method)
            except StaleError:
                # The peer closed it while it was idle: that is no failure, and takes no pause.
                is_repeated, loan = True, None
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

    def _sent(self, request: Outgoing, head: bytes) -> Loan:
        origin, body = request.origin, request.body
        connection = self._kept(origin) or self._dialled(origin)
        loan = Loan(connection, origin, self._keep)
        try:
            loan.cord.tie(connection)
            connection.send(head, body if isinstance(body, bytes) else _separated(body))
        except _BodyError as error:
            loan.give_up()
            raise error.original from None
        except (OSError, ProtocolError) as error:
            loan.give_up()
            raise loan.failure(error) from error
        except BaseException:
            loan.give_up()
            raise
        return loan

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
