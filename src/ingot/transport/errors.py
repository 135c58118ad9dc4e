"""What can go wrong on the way to a peer, as errors a user can act on."""

from __future__ import annotations

import sys

from ingot.base.errors import NetworkError


class BrokenError(NetworkError):
    """A connection ended, or fell silent, before the answer did; asking again may help."""


class SilentError(BrokenError):
    """The peer took the connection, and then nothing came for too long."""


class UnreachedError(NetworkError):
    """There was no connection, so the peer saw nothing of the request."""


def unresolved(authority: str) -> NetworkError:
    """The peer's name means nothing. `authority` is `host:port`, here and below."""
    return UnreachedError(
        f"the name of {authority} cannot be resolved", hint="check the endpoint's spelling"
    )


def unreachable(authority: str, error: Exception) -> NetworkError:
    """No connection could be made."""
    return UnreachedError(
        f"{authority} cannot be reached: {_reason(error)}",
        hint="check the address and that the server runs",
    )


def proxy_unreached(authority: str, reason: object) -> UnreachedError:
    """The proxy is not there, or lets nobody through to the peer."""
    return UnreachedError(
        f"{authority} cannot be reached through the proxy: {reason}",
        hint="check HTTP_PROXY and HTTPS_PROXY, or list the host in NO_PROXY",
    )


def timed_out(authority: str) -> NetworkError:
    """Nothing came for too long."""
    return SilentError(f"{authority} did not answer in time")


def broken(authority: str, error: Exception) -> NetworkError:
    """A connection ended before the answer did."""
    return BrokenError(f"the connection to {authority} broke: {_reason(error)}")


def tls_error(error: Exception, authority: str) -> NetworkError:
    """The peer's certificate or protocol is not what it must be."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NetworkError(
            f"the certificate of {authority} cannot be trusted: {error}",
            hint="give the CA certificate that signed it",
        )
    kind = NetworkError if _lasts(error) else BrokenError
    return kind(f"TLS with {authority} failed: {error}", hint="check that the port speaks TLS")


def is_lasting(error: NetworkError) -> bool:
    """Tell whether asking again will not help: a certificate does not become good by it.

    A peer that breaks off, as one that starts anew behind a balancer does, is no matter of trust.
    """
    return is_tls_error(error.__cause__) and _lasts(error.__cause__)


def _lasts(error: BaseException | None) -> bool:
    breaks = is_tls_error(error, "SSLEOFError") or is_tls_error(error, "SSLZeroReturnError")
    return not breaks and "BAD_RECORD_MAC" not in str(error)


def is_tls_error(error: BaseException | None, kind: str = "SSLError") -> bool:
    """Tell whether an error is one of those of `ssl`, which only HTTPS imports: it takes 4 ms."""
    ssl = sys.modules.get("ssl")
    return ssl is not None and isinstance(error, getattr(ssl, kind))


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__ or error
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return text.strip().rstrip(".")
