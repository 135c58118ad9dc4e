"""Sending HTTP requests over kept connections, from any thread, with retries and rate limits."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from ingot.base.errors import NetworkError
from ingot.base.limits import TRANSFER_CHUNK_BYTES
from ingot.transport.cord import pause
from ingot.transport.direct import Body, DirectPool, Outgoing
from ingot.transport.errors import UnreachedError, is_lasting, proxy_unreached
from ingot.transport.loans import Origin, authority_of
from ingot.transport.options import TransportOptions
from ingot.transport.proxies import Proxy, proxy_for
from ingot.transport.rates import METERED_BYTES, metered, throttle, throttled

if TYPE_CHECKING:
    import ssl

    from ingot.transport.proxied import ProxiedPool

# 408 is what balancers answer to a connection that they closed while it was idle.
RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
# Of these, the ones that say that nothing was done.
_UNDONE_STATUSES = frozenset({408, 429})
_BODY_METHODS = frozenset({"PUT", "POST", "PATCH"})
_USER_AGENT = "ingot"
# Whose proxies are remembered.
_ORIGINS_MAX = 1024


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
        return authority_of((self.scheme, self.host, self.port))


class Answer(Protocol):
    """An answer, whichever way it came."""

    status: int
    headers: Mapping[str, str]
    is_repeated: bool

    def pieces(self, limit_bytes: int) -> Iterator[bytes]:
        """Yield the body in pieces up to a size, or raise NetworkError."""
        ...

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes of the body into a buffer; 0 at the end, or raise NetworkError."""
        ...

    def close(self) -> None:
        """Give the connection back, or up."""
        ...


class Response:
    """An answer whose body is still on the wire; a context manager.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name; repeated ones joined by commas.
        is_repeated: whether the request was sent before and may have been carried out then, its
            answer lost.
    """

    def __init__(self, answer: Answer, authority: str, meter: Callable[[int], None] | None) -> None:
        self._answer = answer
        self._authority = authority
        self._meter = meter
        self.status = answer.status
        self.headers = answer.headers
        self.is_repeated = answer.is_repeated

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
        pieces = self._answer.pieces(chunk_bytes)
        return pieces if self._meter is None else metered(pieces, self._meter)

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes of the body into a buffer and return how many; 0 at the end.

        Raises:
            NetworkError: the connection broke before the body's end.
        """
        if self._meter is None:
            return self._answer.read_into(buffer)
        size_bytes = self._answer.read_into(buffer[:METERED_BYTES])
        self._meter(size_bytes)
        return size_bytes

    def close(self) -> None:
        """Give the connection back if the body is nearly read, else close it."""
        self._answer.close()

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
        sleep: Callable[[float], None] = pause,
    ) -> None:
        self._options = options or TransportOptions()
        self._rng = rng or random.Random()  # noqa: S311 # jitter, not a secret
        self._sleep = sleep
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._direct = DirectPool(self._options, self._tls_context)
        self._proxied: ProxiedPool | None = None
        self._proxies: dict[Origin, Proxy | None] = {}
        self._upload = throttle(self._options.upload_bytes_per_s)
        self._download = throttle(self._options.download_bytes_per_s)

    def send(self, request: Request) -> Response:
        """Send a request and return the answer once its headers are here.

        A request that met a broken connection or one of `RETRIED_STATUSES` is sent again after a
        pause, whatever it does: every operation of S3 may be repeated, although the answer may then
        tell what the first attempt did (`is_repeated`). After the last attempt the answer is
        returned whatever its status.

        Raises:
            NetworkError: no attempt got an answer.
            CutError: the cord that this thread holds was cut.
        """
        return self.begin(request)()

    def begin(self, request: Request) -> Callable[[], Response]:
        """Send a request, and while it is on its way do something else, or begin others.

        Returns:
            What waits for the answer; it must be called, and raises what `send`
            raises. An attempt that fails already now is told, and repeated, only then.

        Raises:
            CutError: the cord that this thread holds was cut.
        """
        try:
            first = self._begin_once(request)
        except NetworkError as error:
            first = partial(_refused, error)
        return partial(self._answered, request, first)

    def _answered(self, request: Request, receive: Callable[[], Response]) -> Response:
        # Few requests need any.
        delays_s: Iterator[float] | None = None
        is_repeated = False
        while True:
            try:
                response = receive()
            except NetworkError as error:
                delays_s = delays_s or self._options.backoff.delays_s(self._rng)
                delay_s = next(delays_s, None)
                if delay_s is None or is_lasting(error):
                    raise
                is_repeated = is_repeated or not isinstance(error, UnreachedError)
            else:
                response.is_repeated = is_repeated = is_repeated or response.is_repeated
                if response.status not in RETRIED_STATUSES:
                    return response
                delays_s = delays_s or self._options.backoff.delays_s(self._rng)
                delay_s = next(delays_s, None)
                if delay_s is None:
                    return response
                response.close()
                is_repeated = is_repeated or response.status not in _UNDONE_STATUSES
                delay_s = max(delay_s, _retry_after_s(response, self._options.backoff.limit_s))
            self._sleep(delay_s)
            receive = partial(self._send_once, request)

    def pauses(self) -> Iterator[None]:
        """Wait as between two attempts, before each item; end when there were enough of them.

        For who finds out only later that an answer is none.
        """
        for delay_s in self._options.backoff.delays_s(self._rng):
            self._sleep(delay_s)
            yield

    def close(self) -> None:
        """Close every connection that is idle; those in use close when they are given back."""
        self._direct.close()
        with self._lock:
            proxied, self._proxied = self._proxied, None
        if proxied is not None:
            proxied.close()

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
        return self._begin_once(request)()

    def _begin_once(self, request: Request) -> Callable[[], Response]:
        origin = (request.scheme, request.host, request.port)
        proxy = self._proxy_for(origin)
        body = request.body
        headers = _completed(request.headers, request.method, body)
        if self._upload is not None:
            body = throttled(body, self._upload)
        outgoing = Outgoing(origin, request.method, request.target, headers, body)
        answer: Callable[[], Answer]
        if proxy is None:
            answer = self._direct.begin(outgoing)
        elif request.scheme == "http":
            answer = self._by_proxy(proxy, outgoing)
        else:
            answer = partial(self._proxied_pool().send, proxy, outgoing)
        return lambda: Response(answer(), request.authority, self._download)

    def _proxy_for(self, origin: Origin) -> Proxy | None:
        # Looked up once: the environment of a process is slow to read, and does not change.
        try:
            return self._proxies[origin]
        except KeyError:
            if len(self._proxies) >= _ORIGINS_MAX:
                self._proxies.clear()
            proxy = self._proxies[origin] = proxy_for(*origin, self._options.environment)
            return proxy

    def _by_proxy(self, proxy: Proxy, request: Outgoing) -> Callable[[], Answer]:
        # Not by urllib3: it takes `/a/../b` for `/b`, which is another object.
        authority = authority_of(request.origin)
        relayed = request._replace(
            origin=proxy[:3],
            target=f"http://{authority}{request.target}",
            headers={**request.headers, **proxy.headers},
        )
        try:
            return self._direct.begin(relayed)
        except UnreachedError as error:
            raise proxy_unreached(authority, error.message) from error

    def _proxied_pool(self) -> ProxiedPool:
        # Few need a proxy, and what speaks with one takes long to import.
        from ingot.transport.proxied import ProxiedPool

        context = self._tls_context()
        with self._lock:
            if self._proxied is None:
                self._proxied = ProxiedPool(self._options, context)
            return self._proxied

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._options.tls.context()
            return self._context


def _refused(error: NetworkError) -> Response:
    raise error


def _completed(headers: Mapping[str, str], method: str, body: Body) -> dict[str, str]:
    """Add what every request needs and its maker left out."""
    completed = dict(headers)
    if isinstance(body, bytes) and (body or method in _BODY_METHODS):
        completed.setdefault("content-length", str(len(body)))
    completed.setdefault("user-agent", _USER_AGENT)
    return completed


def _retry_after_s(response: Response, limit_s: float) -> float:
    text = response.headers.get("retry-after", "")
    # The date form is not worth reading: a server that is overloaded sends seconds.
    return min(float(text), limit_s) if text.isascii() and text.isdigit() else 0.0
