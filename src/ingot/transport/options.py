"""How outgoing connections are made: time-outs, TLS trust, proxies, retries."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

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
        environment: where proxies are looked up, once for each host.
        upload_bytes_per_s: how much of bodies may leave a second, in all; None for any.
        download_bytes_per_s: how much of bodies may arrive a second, in all; None for any.
        resolve: addresses to connect to, by host and port, or by host and None for every port.
            Certificates must still be those of the host.

    Raises:
        UsageError: it would wait for no time, which to a socket means for ever.
    """

    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    connections_max: int = 64
    tls: TlsOptions = field(default_factory=TlsOptions)
    backoff: Backoff = field(default_factory=Backoff)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    upload_bytes_per_s: int | None = None
    download_bytes_per_s: int | None = None
    resolve: Mapping[tuple[str, int | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.connect_timeout_s <= 0 or self.read_timeout_s <= 0:
            raise UsageError("a time-out must be longer than no time")

    def resolved(self, host: str, port: int) -> str:
        """Return the address, or name, to connect to for a host."""
        name = host.lower()
        return self.resolve.get((name, port)) or self.resolve.get((name, None)) or host
