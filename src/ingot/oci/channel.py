"""Requests to registries: TLS or not, logins, redirections. What they mean, others know."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urlsplit

from ingot.base.errors import DeniedError, Error, NetworkError, NotFoundError
from ingot.base.retry import Backoff
from ingot.oci.auth import Authenticator
from ingot.oci.certificates import find_certificates
from ingot.oci.endpoints import Endpoint, RegistryOptions
from ingot.oci.reference import Reference
from ingot.transport.direct import Body
from ingot.transport.options import TlsOptions, TransportOptions
from ingot.transport.pool import Request, Response, Transport
from ingot.transport.urls import joined

REDIRECTIONS_MAX = 5
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a registry.

    Attributes:
        target: a path below `/v2/`, or a URL that the registry named.
        body: as in `transport.pool.Request`; a callable needs `content-length` in the headers.
    """

    target: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: Body = b""


class Channel:
    """Sends requests to registries; safe to share between threads. A context manager."""

    def __init__(self, options: RegistryOptions) -> None:
        self.options = options
        made = TransportOptions(environment=options.environment)
        self._secure = Transport(replace(made, tls=TlsOptions(ca_file=options.ca_file)))
        unchecked = replace(made, tls=TlsOptions(verify=False))
        self._insecure = Transport(unchecked)
        self._probe = Transport(replace(unchecked, backoff=Backoff(attempts=1)))
        self._authenticator = Authenticator(self._send_plainly, options.environment)
        self._lock = threading.Lock()
        self._schemes: dict[str, str] = {}
        self._own: dict[str, Transport | None] = {}

    def send(self, endpoint: Endpoint, ask: Ask, scope: str) -> Response:
        """Return the answer to a request, signed in where the registry asks for it.

        Args:
            endpoint: who is asked.
            ask: the request.
            scope: what it needs the right for: `repository:NAME:pull` or `…:pull,push`.

        Raises:
            DeniedError: the registry asks for a login that there is not, or refuses the one given.
            NetworkError: it cannot be reached, or redirects where it must not.
        """
        scheme = self._scheme(endpoint)
        known = self._authenticator.header(endpoint.registry, scope)
        response = self._follow(endpoint, scheme, ask, known)
        if response.status == 401:
            response.close()
            fresh = self._authenticator.answer(
                endpoint.registry,
                scope,
                response.headers.get("www-authenticate", ""),
                is_tls=scheme == "https",
            )
            response = self._follow(endpoint, scheme, ask, fresh)
        return response

    def close(self) -> None:
        """Close idle connections."""
        own = [transport for transport in self._own.values() if transport is not None]
        for transport in (self._secure, self._insecure, self._probe, *own):
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(
        self, endpoint: Endpoint, scheme: str, ask: Ask, authorization: str | None
    ) -> Response:
        """Return an answer that is no redirection; the login goes to the registry's host alone."""
        own = f"{scheme}://{endpoint.authority}"
        url = joined(f"{own}{endpoint.prefix}/v2/", ask.target)
        for _ in range(REDIRECTIONS_MAX + 1):
            _check_address(url, endpoint, scheme)
            parts = urlsplit(url)
            sent = {"host": parts.netloc, "user-agent": "ingot", **ask.headers}
            if authorization is not None and f"{parts.scheme}://{parts.netloc}" == own:
                sent["authorization"] = authorization
            transport = self._transport(parts.netloc, is_insecure=endpoint.is_insecure)
            response = transport.send(_request(url, ask.method, sent, ask.body))
            location = response.headers.get("location", "")
            if response.status not in _MOVED or not location:
                return response
            response.close()
            url = joined(url, location)
        raise NetworkError(f"{endpoint.authority} redirects more than {REDIRECTIONS_MAX} times")

    def _scheme(self, endpoint: Endpoint) -> str:
        """Return how to speak to an endpoint; one that may be plain is tried in TLS once."""
        if endpoint.scheme is not None:
            return endpoint.scheme
        if self._transport(endpoint.authority, is_insecure=False) is not self._secure:
            # Whoever keeps certificates for a host speaks TLS to it.
            return "https"
        with self._lock:
            known = self._schemes.get(endpoint.authority)
        if known is None:
            url = f"https://{endpoint.authority}/v2/"
            # Only whether TLS is spoken counts here; whom to trust, the real request decides.
            try:
                self._probe.send(_request(url, "GET", {"host": endpoint.authority})).close()
                known = "https"
            except NetworkError:
                known = "http"
            with self._lock:
                self._schemes[endpoint.authority] = known
        return known

    def _transport(self, authority: str, *, is_insecure: bool) -> Transport:
        """Return the connections to a host: with its own certificates where it has any."""
        if is_insecure:
            return self._insecure
        with self._lock:
            if authority not in self._own:
                self._own[authority] = self._with_certificates(authority)
            return self._own[authority] or self._secure

    def _with_certificates(self, authority: str) -> Transport | None:
        environment = self.options.environment
        found = find_certificates(authority, environment)
        if found is None:
            return None
        tls = replace(found, ca_file=self.options.ca_file)
        return Transport(TransportOptions(environment=environment, tls=tls))

    def _send_plainly(self, request: Request) -> Response:
        """Send a request for a token; a token service of an insecure registry is one, too."""
        options = self.options
        is_insecure = options.endpoints(f"{request.host}:{request.port}")[-1].is_insecure
        authority = request.headers.get("host", request.host)
        return self._transport(authority, is_insecure=is_insecure).send(request)


def _request(url: str, method: str, headers: dict[str, str], body: Body = b"") -> Request:
    parts = urlsplit(url)
    return Request(
        method=method,
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
        headers=headers,
        body=body,
    )


def _check_address(url: str, endpoint: Endpoint, scheme: str) -> None:
    """Return if a URL is no step down from TLS; a registry may name any other."""
    target = urlsplit(url).scheme
    if target == "https" or (target == "http" and (scheme == "http" or endpoint.is_insecure)):
        return
    raise NetworkError(f"{endpoint.authority} sends us to {url}, which is not followed")


def refuse(status: int, endpoint: Endpoint, reference: Reference) -> NoReturn:
    """Raise what an answer's status means to the user."""
    error: Error
    match status:
        case 404:
            error = NotFoundError(f"{endpoint.authority} has no image {reference}")
        case 401 | 403:
            error = DeniedError(
                f"{endpoint.authority} does not let us use {reference.name}",
                hint=f"docker login {reference.registry}",
            )
        case 429:
            error = NetworkError(
                f"{endpoint.authority} limits how much it is asked",
                hint="sign in (docker login), use a mirror (--registry-mirror), or wait",
            )
        case _:
            error = NetworkError(f"{endpoint.authority} answers with HTTP status {status}")
    raise error
