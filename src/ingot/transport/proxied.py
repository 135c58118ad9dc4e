"""Requests under TLS through a proxy, by urllib3, which knows how tunnels are made."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

import urllib3
from urllib3.exceptions import (
    HTTPError,
    InsecureRequestWarning,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from ingot.base.errors import NetworkError
from ingot.base.units import KIB
from ingot.transport.direct import Outgoing
from ingot.transport.errors import (
    broken,
    proxy_unreached,
    timed_out,
    tls_error,
    unreachable,
    unresolved,
)
from ingot.transport.loans import authority_of
from ingot.transport.options import TransportOptions
from ingot.transport.pieces import PieceReader
from ingot.transport.proxies import Proxy
from ingot.transport.tunnels import Line, TunnelPool, TunnelSocket, sending

_HOSTS_MAX = 64
_PIECE_BYTES = 256 * KIB


class ProxiedAnswer:
    """An answer whose body is still on the wire.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name.
        is_repeated: never; a connection that was closed is an error here.
    """

    is_repeated = False

    def __init__(self, raw: urllib3.BaseHTTPResponse, authority: str, line: Line) -> None:
        self._raw = raw
        self._line = line
        self._reader = PieceReader(self.pieces(_PIECE_BYTES))
        self._authority = authority
        self.status = raw.status
        self.headers: Mapping[str, str] = {
            name.lower(): value for name, value in raw.headers.items()
        }

    def pieces(self, limit_bytes: int) -> Iterator[bytes]:
        """Yield the body in pieces up to a size.

        Raises:
            NetworkError: the connection broke before its end.
        """
        try:
            yield from self._raw.stream(limit_bytes, decode_content=False)
        except (HTTPError, OSError) as error:
            self.close()
            self._line.cord.check()
            raise network_error(error, self._authority) from error

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes of the body into a buffer and return how many; 0 at the end.

        Raises:
            NetworkError: the connection broke before the body's end.
        """
        return self._reader.read_into(buffer)

    def close(self) -> None:
        """Give the connection back if the body was read, else close it."""
        try:
            # What is left is not read: a peer that fell silent would be waited for.
            if self._raw.length_remaining != 0:
                self._raw.close()
        finally:
            self._raw.release_conn()
            self._line.end()


class ProxiedPool:
    """Makes requests through proxies; safe to share between threads.

    Args:
        options: see there.
        context: for the peers and for proxies.
    """

    def __init__(self, options: TransportOptions, context: ssl.SSLContext) -> None:
        self._options = options
        self._context = context
        context.sslsocket_class = TunnelSocket
        self._lock = threading.Lock()
        self._managers: dict[Proxy, urllib3.ProxyManager] = {}
        if not options.tls.verify:
            # The user chose it and the command said so; urllib3 would repeat it forever.
            urllib3.disable_warnings(InsecureRequestWarning)

    def send(self, proxy: Proxy, request: Outgoing) -> ProxiedAnswer:
        """Send a request and return its answer.

        Raises:
            NetworkError: none came.
            OSError: what yields the body raised it.
        """
        scheme, host, port = request.origin
        authority = authority_of(request.origin)
        body = request.body
        options = self._options
        pool = self._manager(proxy).connection_from_host(host, port, scheme)
        sending.line = line = Line()
        try:
            raw = pool.urlopen(
                request.method,
                request.target,
                body=(body or None) if isinstance(body, bytes) else _guarded(body),
                headers=dict(request.headers),
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(
                    connect=options.connect_timeout_s, read=options.read_timeout_s
                ),
                preload_content=False,
                decode_content=False,
            )
        except _BodyError as error:
            line.end()
            raise error.original from None
        except (HTTPError, OSError) as error:
            line.end()
            line.cord.check()
            raise network_error(error, authority) from error
        except BaseException:
            line.end()
            raise
        finally:
            sending.line = None
        return ProxiedAnswer(raw, authority, line)

    def close(self) -> None:
        """Close every connection that is idle; those in use close when they are given back."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            # By itself it would leave them to the garbage collector.
            for key in manager.pools.keys():  # noqa: SIM118 # it refuses to be iterated
                manager.pools[key].close()
            manager.clear()

    def _manager(self, proxy: Proxy) -> urllib3.ProxyManager:
        with self._lock:
            if proxy not in self._managers:
                manager = self._managers[proxy] = urllib3.ProxyManager(
                    f"{proxy.scheme}://{authority_of(proxy[:3])}",
                    _HOSTS_MAX,
                    proxy_headers=proxy.headers,
                    maxsize=self._options.connections_max,
                    ssl_context=self._context,
                    proxy_ssl_context=self._context,
                )
                manager.pool_classes_by_scheme = {"https": TunnelPool}
            return self._managers[proxy]


class _BodyError(Exception):
    """Carries an OSError of the body past those of the connection."""

    def __init__(self, original: OSError) -> None:
        super().__init__()
        self.original = original


def _guarded(body: Callable[[], Iterable[bytes]]) -> Iterator[bytes]:
    try:
        yield from body()
    except OSError as error:
        raise _BodyError(error) from error


def network_error(error: Exception, authority: str) -> NetworkError:
    """Say what urllib3 means by an error."""
    if isinstance(error, SSLError | ssl.SSLError):
        return tls_error(error, authority)
    if isinstance(error, NameResolutionError):
        return unresolved(authority)
    if isinstance(error, NewConnectionError):
        return unreachable(authority, error)
    if isinstance(error, ProxyError):
        return proxy_unreached(authority, error.original_error)
    if isinstance(error, UrllibTimeoutError):
        return timed_out(authority)
    return broken(authority, error)
