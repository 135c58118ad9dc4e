"""How outgoing connections are made: time-outs, TLS trust, proxies, retries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ingot.base.errors import UsageError
from ingot.base.retry import Backoff

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """Whom to trust.

    Attributes:
        verify: check the peer's certificate and name; turn off only on a user's explicit word.
        ca_file: certificates (PEM) to trust beside the system's.
        more_ca_files: others of that kind.
        identity: files (PEM) of our own certificate and of its key, for peers that ask for it.
    """

    verify: bool = True
    ca_file: Path | None = None
    more_ca_files: tuple[Path, ...] = ()
    identity: tuple[Path, Path] | None = None

    def context(self) -> ssl.SSLContext:
        """Make the context for outgoing connections.

        Raises:
            UsageError: a file is missing, or holds no certificate or key.
        """
        # Plain HTTP starts faster without it.
        import ssl

        context = ssl.create_default_context()
        for path in (*([self.ca_file] if self.ca_file else []), *self.more_ca_files):
            try:
                context.load_verify_locations(cafile=path)
            except OSError as error:
                raise UsageError(
                    f"{path} cannot be read as certificates: {error}",
                    hint="give a file of PEM certificates",
                ) from error
        if self.identity is not None:
            certificate, key = self.identity
            try:
                context.load_cert_chain(certificate, key)
            except OSError as error:
                raise UsageError(
                    f"{certificate} and {key} cannot be read as certificate and key: {error}"
                ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """All that a transport can be told.

    Attributes:
        connect_timeout_s: until a connection stands, TLS included.
        read_timeout_s: between two pieces of an answer, or of a request that does not drain.
        connections_max: kept open to one host; more may exist for a moment.
        tls: whom to trust.
        backoff: how often and how soon a request that failed is sent again.
        environment: where proxies are looked up.
        upload_bytes_per_s: how much of bodies may leave a second, in all; None for any.
        download_bytes_per_s: how much of bodies may arrive a second, in all; None for any.
        resolve: addresses to connect to, by host and port, or by host and None for every port.
            Certificates must still be those of the host.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    connections_max: int = 64
    tls: TlsOptions = field(default_factory=TlsOptions)
    backoff: Backoff = field(default_factory=Backoff)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    upload_bytes_per_s: int | None = None
    download_bytes_per_s: int | None = None
    resolve: Mapping[tuple[str, int | None], str] = field(default_factory=dict)

    def resolved(self, host: str, port: int) -> str:
        """Return the address, or name, to connect to for a host."""
        name = host.lower()
        return self.resolve.get((name, port)) or self.resolve.get((name, None)) or host


def proxy_for(scheme: str, host: str, environment: Mapping[str, str]) -> str | None:
    """Return the proxy's URL for a host: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.

    Loopback addresses never go through a proxy: it could not reach them.
    Upper-case `HTTP_PROXY` is not read when this may be a CGI program, where a request's header
    could set it (CVE-2016-5385).
    """
    if _bypassed(host, _variable(environment, "no_proxy")):
        return None
    named = _variable(environment, f"{scheme}_proxy")
    if scheme == "http" and "REQUEST_METHOD" in environment:
        named = environment.get("http_proxy", "")
    url = named or _variable(environment, "all_proxy")
    if not url:
        return None
    if "://" not in url:
        url = f"http://{url}"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise UsageError(
            f"the proxy {url!r} is of an unsupported kind",
            hint="use an http:// or https:// proxy, or list the host in NO_PROXY",
        )
    return url


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _bypassed(host: str, no_proxy: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.startswith("127.") or name == "::1":
        return True
    suffixes = [entry.strip().lstrip(".") for entry in no_proxy.lower().split(",")]
    return any(
        suffix in {"*", name} or name.endswith(f".{suffix}") for suffix in suffixes if suffix
    )
