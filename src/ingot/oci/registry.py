"""A registry's HTTP interface, as far as pulling needs it: manifests and blobs.

Protocol: OCI distribution-spec 1.1.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import NoReturn, Self
from urllib.parse import urljoin, urlsplit

from ingot.base.errors import DeniedError, Error, IntegrityError, NetworkError, NotFoundError
from ingot.base.retry import Backoff
from ingot.oci.auth import Authenticator
from ingot.oci.digest import check_digest, digest_of, verified
from ingot.oci.endpoints import Endpoint, RegistryOptions
from ingot.oci.manifest import (
    DOCKER_LIST_TYPE,
    DOCKER_MANIFEST_TYPE,
    DOCUMENT_BYTES_MAX,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
)
from ingot.oci.reference import Reference
from ingot.transport.options import TlsOptions, TransportOptions
from ingot.transport.pool import Request, Response, Transport

REDIRECTIONS_MAX = 5
_ACCEPTED = f"{INDEX_TYPE}, {MANIFEST_TYPE}, {DOCKER_LIST_TYPE}, {DOCKER_MANIFEST_TYPE}"
_MOVED = frozenset({301, 302, 303, 307, 308})


class RegistryClient:
    """Reads from registries; safe to share between threads. A context manager."""

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        made = TransportOptions(environment=options.environment)
        self._secure = Transport(replace(made, tls=TlsOptions(ca_file=options.ca_file)))
        unchecked = replace(made, tls=TlsOptions(verify=False))
        self._insecure = Transport(unchecked)
        self._probe = Transport(replace(unchecked, backoff=Backoff(attempts=1)))
        self._authenticator = Authenticator(self._send_plainly, options.environment)
        self._lock = threading.Lock()
        self._schemes: dict[str, str] = {}

    def manifest(self, reference: Reference) -> tuple[Descriptor, bytes]:
        """Return a manifest or index, its digest verified where the reference has one.

        Raises:
            NotFoundError: the registry has no such image.
            DeniedError: the login is missing or not enough.
            NetworkError: no mirror and not the registry itself can be reached.
        """
        target = f"{reference.repository}/manifests/{reference.version}"
        with self._ask_all(reference, target, {"accept": _ACCEPTED}) as response:
            data = response.read(DOCUMENT_BYTES_MAX)
            media_type = response.headers.get("content-type", "").partition(";")[0].strip()
        digest = reference.digest or digest_of(data)
        what = f"the manifest of {reference}"
        return Descriptor(digest, sum(map(len, verified([data], digest, what))), media_type), data

    @contextlib.contextmanager
    def blob(
        self, reference: Reference, digest: str, offset: int = 0
    ) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Yield where the bytes that come begin, and the bytes themselves, not verified.

        They begin at `offset`, or at 0 where the registry knows no ranges. Raises as `manifest`.
        """
        target = f"{reference.repository}/blobs/{check_digest(digest)}"
        headers = {"range": f"bytes={offset}-"} if offset else {}
        with self._ask_all(reference, target, headers) as response:
            start = _range_start(response, offset) if response.status == 206 else 0
            yield start, response.stream()

    def close(self) -> None:
        """Close idle connections."""
        for transport in (self._secure, self._insecure, self._probe):
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

    def _ask_all(self, reference: Reference, target: str, headers: dict[str, str]) -> Response:
        """Return the first good answer of the mirrors and the registry itself."""
        *mirrors, own = self._options.endpoints(reference.registry)
        for mirror in mirrors:
            # A mirror that fails costs nothing: digests are checked whoever sends the bytes.
            with contextlib.suppress(NotFoundError, DeniedError, NetworkError):
                return self._ask(mirror, reference, target, headers)
        return self._ask(own, reference, target, headers)

    def _ask(
        self, endpoint: Endpoint, reference: Reference, target: str, headers: dict[str, str]
    ) -> Response:
        scheme = self._scheme(endpoint)
        scope = f"repository:{reference.repository}:pull"
        known = self._authenticator.header(endpoint.registry, scope)
        response = self._get(endpoint, scheme, target, headers, known)
        if response.status == 401:
            response.close()
            fresh = self._authenticator.answer(
                endpoint.registry,
                scope,
                response.headers.get("www-authenticate", ""),
                is_tls=scheme == "https",
            )
            response = self._get(endpoint, scheme, target, headers, fresh)
        if response.status not in {200, 206}:
            response.close()
            _refuse(response.status, endpoint, reference)
        return response

    def _get(
        self,
        endpoint: Endpoint,
        scheme: str,
        target: str,
        headers: dict[str, str],
        authorization: str | None,
    ) -> Response:
        """Return an answer that is no redirection; the login goes to the registry's host alone."""
        own = f"{scheme}://{endpoint.authority}"
        url = f"{own}{endpoint.prefix}/v2/{target}"
        for _ in range(REDIRECTIONS_MAX + 1):
            parts = urlsplit(url)
            sent = {"host": parts.netloc, "user-agent": "ingot", **headers}
            if authorization is not None and f"{parts.scheme}://{parts.netloc}" == own:
                sent["authorization"] = authorization
            transport = self._insecure if endpoint.is_insecure else self._secure
            response = transport.send(_get_request(url, sent))
            location = response.headers.get("location", "")
            if response.status not in _MOVED or not location:
                return response
            response.close()
            url = urljoin(url, location)
            _check_redirection(url, endpoint, scheme)
        raise NetworkError(f"{endpoint.authority} redirects more than {REDIRECTIONS_MAX} times")

    def _scheme(self, endpoint: Endpoint) -> str:
        """Return how to speak to an endpoint; one that may be plain is tried in TLS once."""
        if endpoint.scheme is not None:
            return endpoint.scheme
        with self._lock:
            known = self._schemes.get(endpoint.authority)
        if known is None:
            url = f"https://{endpoint.authority}/v2/"
            # Only whether TLS is spoken counts here; whom to trust, the real request decides.
            try:
                self._probe.send(_get_request(url, {"host": endpoint.authority})).close()
                known = "https"
            except NetworkError:
                known = "http"
            with self._lock:
                self._schemes[endpoint.authority] = known
        return known

    def _send_plainly(self, request: Request) -> Response:
        """Send a request for a token; a token service of an insecure registry is one, too."""
        options = self._options
        is_insecure = options.endpoints(f"{request.host}:{request.port}")[-1].is_insecure
        return (self._insecure if is_insecure else self._secure).send(request)


def _get_request(url: str, headers: dict[str, str]) -> Request:
    parts = urlsplit(url)
    return Request(
        method="GET",
        scheme=parts.scheme,
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        target=f"{parts.path}?{parts.query}" if parts.query else parts.path,
        headers=headers,
    )


def _check_redirection(url: str, endpoint: Endpoint, scheme: str) -> None:
    target = urlsplit(url).scheme
    if target == "https" or (target == "http" and (scheme == "http" or endpoint.is_insecure)):
        return
    raise NetworkError(f"{endpoint.authority} redirects to {url}, which is not followed")


def _range_start(response: Response, wanted: int) -> int:
    """Return where the sent part begins (RFC 9110, 14.4)."""
    start = response.headers.get("content-range", "").removeprefix("bytes ").partition("-")[0]
    if start != str(wanted):
        raise IntegrityError(f"a registry sends bytes from {start or '?'} instead of {wanted} on")
    return wanted


def _refuse(status: int, endpoint: Endpoint, reference: Reference) -> NoReturn:
    error: Error
    match status:
        case 404:
            error = NotFoundError(f"{endpoint.authority} has no image {reference}")
        case 401 | 403:
            error = DeniedError(
                f"{endpoint.authority} does not let us read {reference.name}",
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
