"""What can go wrong on the way to a peer, as errors a user can act on."""

from __future__ import annotations

import sys

from ingot.base.errors import NetworkError


class SilentError(NetworkError):
    """The peer took the connection, and then nothing came for too long."""


def unresolved(authority: str) -> NetworkError:
    """The peer's name means nothing. `authority` is `host:port`, here and below."""
    return NetworkError(
        f"the name of {authority} cannot be resolved", hint="check the endpoint's spelling"
    )


def unreachable(authority: str, error: Exception) -> NetworkError:
    """No connection could be made."""
    return NetworkError(
        f"{authority} cannot be reached: {_reason(error)}",
        hint="check the address and that the server runs",
    )


def timed_out(authority: str) -> NetworkError:
    """Nothing came for too long."""
    return SilentError(f"{authority} did not answer in time")


def broken(authority: str, error: Exception) -> NetworkError:
    """A connection ended before the answer did."""
    return NetworkError(f"the connection to {authority} broke: {_reason(error)}")


def tls_error(error: Exception, authority: str) -> NetworkError:
    """The peer's certificate or protocol is not what it must be."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NetworkError(
            f"the certificate of {authority} cannot be trusted: {error}",
            hint="give the CA certificate that signed it",
        )
    return NetworkError(
        f"TLS with {authority} failed: {error}", hint="check that the port speaks TLS"
    )


def is_tls_error(error: BaseException | None, kind: str = "SSLError") -> bool:
    """Tell whether an error is one of those of `ssl`, which only HTTPS imports: it takes 4 ms."""
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(error, getattr(ssl, kind))


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return text.strip().rstrip(".")
