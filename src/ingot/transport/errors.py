"""What urllib3 and the system say of a connection, as errors a user can act on."""

from __future__ import annotations

import ssl

from urllib3.exceptions import (
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as UrllibTimeoutError

from ingot.base.errors import NetworkError


def network_error(error: Exception, authority: str) -> NetworkError:
    """Say what went wrong on the way to `authority` (`host:port`)."""
    if isinstance(error, SSLError | ssl.SSLError):
        return _tls_error(error, authority)
    if isinstance(error, NameResolutionError):
        return NetworkError(
            f"the name of {authority} cannot be resolved", hint="check the endpoint's spelling"
        )
    if isinstance(error, NewConnectionError):
        return NetworkError(
            f"{authority} cannot be reached: {_reason(error)}",
            hint="check the address and that the server runs",
        )
    if isinstance(error, ProxyError):
        return NetworkError(
            f"{authority} cannot be reached through the proxy: {error.original_error}",
            hint="check HTTP_PROXY and HTTPS_PROXY, or list the host in NO_PROXY",
        )
    if isinstance(error, UrllibTimeoutError):
        return NetworkError(f"{authority} did not answer in time")
    return NetworkError(f"the connection to {authority} broke: {_reason(error)}")


def _tls_error(error: Exception, authority: str) -> NetworkError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NetworkError(
            f"the certificate of {authority} cannot be trusted: {error}",
            hint="give the CA certificate that signed it",
        )
    return NetworkError(
        f"TLS with {authority} failed: {error}", hint="check that the port speaks TLS"
    )


def _reason(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return text.strip().rstrip(".")
