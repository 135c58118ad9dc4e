"""Which proxy a host is reached through, and what a request to a proxy looks like."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from ingot.base.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(NamedTuple):
    """Where a proxy is, and what it wants to be told.

    Attributes:
        scheme: `http`, or `https` for one that is spoken with under TLS.
        host: name or address, without brackets.
        port: the TCP port.
        authorization: the header's value; None where the URL names nobody.
    """

    scheme: str
    host: str
    port: int
    authorization: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What is for the proxy alone."""
        return {} if self.authorization is None else {"proxy-authorization": self.authorization}


def proxy_for(scheme: str, host: str, port: int, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy for a host: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.

    Loopback addresses never go through a proxy: it could not reach them.
    Upper-case `HTTP_PROXY` is not read when this may be a CGI program, where a request's header
    could set it (CVE-2016-5385).

    Raises:
        UsageError: the variable has no URL of a proxy.
    """
    named = _variable(environment, f"{scheme}_proxy")
    if scheme == "http" and "REQUEST_METHOD" in environment:
        named = environment.get("http_proxy", "")
    url = named or _variable(environment, "all_proxy")
    if not url or _bypassed(host, port, _variable(environment, "no_proxy")):
        return None
    return _parsed(url if "://" in url else f"http://{url}")


def _parsed(url: str) -> Proxy:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"the address of the proxy is none: {error}") from error
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        # Without who uses it: passwords do not belong into messages.
        raise UsageError(
            f"the proxy '{parts.scheme}://{parts.hostname or ''}' is of an unsupported kind",
            hint="use an http:// or https:// proxy, or list the host in NO_PROXY",
        )
    authorization = None
    if parts.username is not None:
        who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(who.encode()).decode('ascii')}"
    return Proxy(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], authorization)


def _variable(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.upper()) or ""


def _bypassed(host: str, port: int, no_proxy: str) -> bool:
    name = host.lower().rstrip(".")
    address = _address(name)
    if name == "localhost" or (address is not None and address.is_loopback):
        return True
    entries = (entry.strip() for entry in no_proxy.lower().split(","))
    return any(_covers(entry, name, port, address) for entry in entries if entry)


def _covers(
    entry: str,
    name: str,
    port: int,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
) -> bool:
    """Tell whether an entry is about a host: a name, `*`, an address, a network, or with a port."""
    if address is not None:
        try:
            return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            pass  # no address, or one with a port
    before, colon, after = entry.rpartition(":")
    if colon and after.isdigit():
        if int(after) != port:
            return False
        entry = before.strip("[]")
    suffix = entry.removeprefix("*").lstrip(".").rstrip(".")
    return entry == "*" or name == suffix or (bool(suffix) and name.endswith(f".{suffix}"))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
