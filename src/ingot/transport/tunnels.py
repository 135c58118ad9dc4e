"""Connections through proxies as they hang on the cord of the thread that uses them."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from ingot.transport.cord import Cord, held
from ingot.transport.direct import connected
from ingot.transport.http1 import cut_socket


class Line:
    """What a request goes over, tied until its answer is read.

    Raises:
        CutError: the cord that this thread holds was cut.
    """

    def __init__(self) -> None:
        self.cord: Cord = held()
        self._socket: socket.socket | None = None
        self.cord.tie(self)

    def goes_over(self, sock: socket.socket) -> None:
        """Take the socket that the request has come to.

        Raises:
            CutError: the cord was cut.
        """
        self._socket = sock
        self.cord.check()

    def cut(self) -> None:
        """End what waits for it."""
        if self._socket is not None:
            cut_socket(self._socket)

    def end(self) -> None:
        """Untie it: the connection is done with, or another request's."""
        self.cord.untie(self)


class _Thread(threading.local):
    line: Line | None = None


# Whose request this thread is sending; urllib3 has no other way to tell its connections.
sending = _Thread()


class TunnelSocket(ssl.SSLSocket):
    """A socket under TLS; it takes the place of the one below it before the handshake."""

    def do_handshake(self, block: bool = False) -> None:
        """Agree with the peer on keys."""
        if sending.line is not None:
            sending.line.goes_over(self)
        super().do_handshake(block)


class _Tunnel(HTTPSConnection):
    line: Line | None = None

    def _new_conn(self) -> socket.socket:
        assert sending.line is not None
        timeout_s = self.timeout
        assert isinstance(timeout_s, float | int)
        try:
            sock = connected((self._dns_host, self.port or 0), timeout_s, sending.line.cord)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "the connection takes too long") from error
        except OSError as error:
            raise NewConnectionError(self, str(error)) from error
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sending.line.goes_over(sock)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.line = sending.line
        # TLS within TLS is no socket, but has one.
        sock = getattr(self.sock, "socket", self.sock)
        if self.line is not None and sock is not None:
            self.line.goes_over(sock)
        super().request(*args, **kwargs)


class TunnelPool(HTTPSConnectionPool):
    """Keeps connections, each untied before another request can have it."""

    ConnectionCls = _Tunnel

    def _put_conn(self, conn: Any) -> None:
        if isinstance(conn, _Tunnel) and conn.line is not None:
            conn.line.end()
            conn.line = None
        super()._put_conn(conn)
