"""Host and port pairs as people write them: `:9000`, `127.0.0.1:9000`, `[::1]:9000`."""

from __future__ import annotations

from typing import NamedTuple

from ingot.base.errors import UsageError

EVERY_INTERFACE = "0.0.0.0"  # noqa: S104 # a server that no other machine reaches is of little use; --address narrows it
_PORT_MAX = 65_535


class Address(NamedTuple):
    """Where a listener binds; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def is_wildcard(self) -> bool:
        """Whether it listens on every interface."""
        return self.host in (EVERY_INTERFACE, "::")


def bracketed(host: str) -> str:
    """Return the host as it stands in a URL (IPv6 in brackets)."""
    return f"[{host}]" if ":" in host else host


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`; an empty host is every interface.

    Raises:
        UsageError: there is no port, or the port is no number from 0 to 65535.
    """
    host, colon, port_text = text.strip().rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit():
        raise UsageError(
            f"{text!r} is not an address", hint="write it like :9000, 127.0.0.1:9000 or [::1]:9000"
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise UsageError(f"{text!r} is not an address", hint="write IPv6 hosts in brackets")
    port = int(port_text)
    if port > _PORT_MAX:
        raise UsageError(f"port {port} in {text!r} is above {_PORT_MAX}")
    return Address(host or EVERY_INTERFACE, port)
