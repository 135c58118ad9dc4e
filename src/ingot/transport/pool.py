"""Sending HTTP requests over kept connections, from any thread; urllib3 stays in this room."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import urllib3
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError, InsecureRequestWarning, SSLError

from ingot.base.errors import NetworkError
from ingot.base.limits import TRANSFER_CHUNK_BYTES
from ingot.transport.errors import network_error
from ingot.transport.options import TransportOptions, proxy_for

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
_HOSTS_MAX = 64
_DRAIN_BYTES_MAX = 64 * 1024

Body = bytes | Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: the HTTP method.
        scheme: `http` or `https`.
        host: name or address, without brackets.
        port: the TCP port.
        target: path and query exactly as they go on the wire.
        headers: exactly those that go on the wire, `host` among them.
        body: bytes, or what yields them anew for every attempt (then `content-length` is among
            the headers).
    """

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = b""

    @property
    def authority(self) -> str:
        """`host:port` for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Response:
    """An answer whose body is still on the wire; a context manager.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name; repeated ones joined by commas.
    """

    def __init__(self, raw: urllib3.BaseHTTPResponse, authority: str) -> None:
        self._raw = raw
        self._authority = authority
        self.status = raw.status
        self.headers = {name.lower(): value for name, value in raw.headers.items()}

    def read(self, limit_bytes: int) -> bytes:
        """Read the whole body.

        Raises:
            NetworkError: the connection broke, or the body is longer than the limit.
        """
        pieces = []
        size_bytes = 0
        for piece in self.stream():
            size_bytes += len(piece)
            if size_bytes > limit_bytes:
                self.close()
                raise NetworkError(
                    f"{self._authority} answered more than {limit_bytes} bytes where a short"
                    " document was due"
                )
            pieces.append(piece)
        return b"".join(pieces)

    def stream(self, chunk_bytes: int = TRANSFER_CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the body in pieces of at most `chunk_bytes`.

        Raises:
            NetworkError: the connection broke before the body's end.
        """
        try:
            yield from self._raw.stream(chunk_bytes, decode_content=False)
        except (HTTPError, OSError) as error:
            self.close()
            raise network_error(error, self._authority) from error

    def close(self) -> None:
        """Give the connection back if the body is nearly read, else close it."""
        remaining = self._raw.length_remaining
        try:
            if remaining is not None and remaining <= _DRAIN_BYTES_MAX:
                self._raw.drain_conn()
            else:
                self._raw.close()
        finally:
            self._raw.release_conn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Transport:
    """A pool of connections; safe to share between threads, not between processes.

    Args:
        options: see there.
        rng: gives the retries their jitter.
        sleep: waits between retries (seconds).
    """

    def __init__(
        self,
        options: TransportOptions | None = None,
        *,
        rng: random.Random | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options or TransportOptions()
        self._rng = rng or random.Random()  # noqa: S311 # jitter, not a secret
        self._sleep = sleep
        self._lock = threading.Lock()
        self._managers: dict[str | None, urllib3.PoolManager] = {}
        self._context: ssl.SSLContext | None = None

    def send(self, request: Request) -> Response:
        """Send a request and return the answer once its headers are here.

        A request that met a broken connection or one of `RETRIED_STATUSES` is sent again after a
        pause, whatever it does: every operation of S3 may be repeated. After the last attempt the
        answer is returned whatever its status.

        Raises:
            NetworkError: no attempt got an answer.
        """
        delays_s = self._options.backoff.delays_s(self._rng)
        while True:
            delay_s = next(delays_s, None)
            try:
                response = self._send_once(request)
            except NetworkError as error:
                if delay_s is None or _is_final(error):
                    raise
            else:
                if response.status not in RETRIED_STATUSES or delay_s is None:
                    return response
                response.close()
                delay_s = max(delay_s, _retry_after_s(response, self._options.backoff.limit_s))
            self._sleep(delay_s)

    def close(self) -> None:
        """Close every connection that is idle; those in use close when they are given back."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            manager.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send_once(self, request: Request) -> Response:
        proxy = proxy_for(request.scheme, request.host, self._options.environment)
        pool = self._pool(request, proxy)
        target = request.target
        if proxy is not None and request.scheme == "http":
            target = f"http://{request.authority}{target}"
        body = request.body if isinstance(request.body, bytes) else _guarded(request.body)
        try:
            raw = pool.urlopen(
                request.method,
                target,
                body=body or None,
                headers=dict(request.headers),
                retries=False,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(
                    connect=self._options.connect_timeout_s, read=self._options.read_timeout_s
                ),
                preload_content=False,
                decode_content=False,
            )
        except _BodyError as error:
            raise error.original from None
        except (HTTPError, OSError) as error:
            raise network_error(error, request.authority) from error
        return Response(raw, request.authority)

    def _pool(self, request: Request, proxy: str | None) -> HTTPConnectionPool:
        with self._lock:
            manager = self._managers.get(proxy)
            if manager is None:
                manager = self._managers[proxy] = self._manager(proxy)
        return manager.connection_from_host(request.host, request.port, request.scheme)

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        if self._context is None:
            self._context = self._options.tls.context()
            if not self._options.tls.verify:
                # The user chose it and the command said so; urllib3 would repeat it forever.
                urllib3.disable_warnings(InsecureRequestWarning)
        if proxy is None:
            return urllib3.PoolManager(
                _HOSTS_MAX, maxsize=self._options.connections_max, ssl_context=self._context
            )
        return urllib3.ProxyManager(
            proxy,
            _HOSTS_MAX,
            maxsize=self._options.connections_max,
            ssl_context=self._context,
            proxy_ssl_context=self._context,
        )


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


def _is_final(error: NetworkError) -> bool:
    # A certificate does not become good by asking again.
    return isinstance(error.__cause__, SSLError | ssl.SSLError)


def _retry_after_s(response: Response, limit_s: float) -> float:
    text = response.headers.get("retry-after", "")
    # The date form is not worth reading: a server that is overloaded sends seconds.
    return min(float(text), limit_s) if text.isascii() and text.isdigit() else 0.0
