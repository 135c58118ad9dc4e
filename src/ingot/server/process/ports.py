"""Listening ports: refused when somebody else has them, reserved until the workers listen."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import time

from ingot.base.errors import ConflictError, Error
from ingot.server.process.address import EVERY_INTERFACE, Address

_CONNECT_PERIOD_S = 0.005


def reserve(address: Address) -> tuple[socket.socket, Address]:
    """Bind without listening, so that the port is ours before the workers open it.

    Workers share the port by SO_REUSEPORT, which would silently share it with a stranger of the
    same user too; the first bind here is without it and so finds the stranger.

    Returns:
        The socket that holds the port (keep it open) and the address with its real port.

    Raises:
        ConflictError: the port is in use.
        Error: the address is not one of this machine, or the port is privileged.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    if address.port:
        with _bound(family, address, shared=False):
            pass
    holder = _bound(family, address, shared=True)
    return holder, Address(address.host, int(holder.getsockname()[1]))


def _bound(family: socket.AddressFamily, address: Address, *, shared: bool) -> socket.socket:
    holder = socket.socket(family, socket.SOCK_STREAM)
    try:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((address.host, address.port))
    except (OSError, UnicodeError) as error:
        holder.close()
        raise _bind_error(address, error) from error
    return holder


def _bind_error(address: Address, error: Exception) -> Error:
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EADDRINUSE:
        return ConflictError(
            f"{address} is in use by another program",
            hint="stop that program, or choose another port with --address or --console-address",
        )
    reason = os.strerror(code) if code and code > 0 else str(error)
    return Error(
        f"cannot listen on {address}: {reason}",
        hint="the host must be an address of this machine; ports below 1024 need privileges",
    )


def await_listening(address: Address, *, timeout_s: float) -> None:
    """Return once connections to the address are accepted.

    Raises:
        Error: nothing listens there within `timeout_s` seconds.
    """
    host = address.host
    if address.is_wildcard:
        host = "127.0.0.1" if host == EVERY_INTERFACE else "::1"
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host, address.port), timeout=timeout_s),
        ):
            return
        time.sleep(_CONNECT_PERIOD_S)
    raise Error(f"the server does not listen on {address} after {timeout_s:g} s")
