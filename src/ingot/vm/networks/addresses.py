"""The fixed addresses of a machine's first card: the `--ip` option. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple

from ingot.base.errors import UsageError
from ingot.vm.machine import StaticAddress

DEFAULT_GUEST_ADDRESS = "10.0.2.15"
"""What QEMU's user network leases to the first guest that asks."""

DEFAULT_ADDRESS = StaticAddress(
    DEFAULT_GUEST_ADDRESS, 24, "10.0.2.0/24", gateway="10.0.2.2", dns="10.0.2.3"
)
"""The same with all that it leases."""

_HINT = (
    "write it like 192.168.65.101, 10.1.2.3/24,gateway=10.1.2.1,dns=10.1.2.1"
    " or fd00:1::5/64,gateway=fd00:1::1"
)


class _Family(NamedTuple):
    """What differs between IPv4 and IPv6; a network has room for five addresses of QEMU's."""

    title: str
    prefix_length: int
    prefix_length_min: int
    prefix_length_max: int


_IPV4 = _Family("IPv4", prefix_length=24, prefix_length_min=8, prefix_length_max=29)
_IPV6 = _Family("IPv6", prefix_length=64, prefix_length_min=8, prefix_length_max=125)

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_addresses(texts: Iterable[str]) -> tuple[StaticAddress, ...]:
    """Read every `--ip` of a command line: at most one for IPv4 and one for IPv6.

    Raises:
        UsageError: one is malformed, or two are of one kind.
    """
    addresses = tuple(parse_address(text) for text in texts)
    for index, address in enumerate(addresses):
        if address.is_ipv6 in [other.is_ipv6 for other in addresses[:index]]:
            title = _family(address.is_ipv6).title
            raise UsageError(
                f"--ip {address}: a machine has one fixed {title} address",
                hint="give one for IPv4 and one for IPv6",
            )
    return addresses


def parse_address(text: str) -> StaticAddress:
    """Read `--ip A[/PREFIX][,gateway=G][,dns=D]`: an address of the guest's first card.

    Raises:
        UsageError: no host address, or a prefix that leaves no room for others.
    """
    head, *options = text.split(",")
    address_text, slash, prefix_text = head.partition("/")
    address = _address(text, address_text)
    family = _family(address.version == 6)
    if slash and not (prefix_text.isascii() and prefix_text.isdigit()):
        raise UsageError(f"--ip {text}: {prefix_text!r} is no prefix length", hint=_HINT)
    prefix_length = int(prefix_text) if slash else family.prefix_length
    if not family.prefix_length_min <= prefix_length <= family.prefix_length_max:
        raise UsageError(
            f"--ip {text}: the prefix length must be {family.prefix_length_min} to"
            f" {family.prefix_length_max}"
        )
    network = ipaddress.ip_network(f"{address}/{prefix_length}", strict=False)
    _check_host(text, address, network)
    given = _options(text, options, address)
    gateway = given.get("gateway")
    # Routers of IPv6 are known by their link-local addresses, too.
    near = gateway is not None and gateway.version == 6 and gateway.is_link_local
    if gateway is not None and gateway not in network and not near:
        raise UsageError(f"--ip {text}: the gateway {gateway} is not in {network}")
    dns = given.get("dns")
    return StaticAddress(
        address=str(address),
        prefix_length=prefix_length,
        network=str(network),
        gateway=None if gateway is None else str(gateway),
        dns=None if dns is None else str(dns),
    )


def beside(address: StaticAddress) -> list[str]:
    """Return the places of a network that QEMU's user network takes its own from: .2 to .5."""
    first = ipaddress.ip_network(address.network).network_address
    return [str(first + offset) for offset in (2, 3, 4, 5)]


def _family(is_ipv6: bool) -> _Family:
    return _IPV6 if is_ipv6 else _IPV4


def _check_host(text: str, address: _Address, network: _Network) -> None:
    """Refuse what no host of a network can have; IPv6's first address is its routers'."""
    names = {network.network_address}
    if address.version == 4:
        names.add(network.broadcast_address)
    if address in names:
        raise UsageError(f"--ip {text}: {address} is no host address of {network}")
    # A link-local address is made by each host for itself.
    no_host = address.is_loopback or address.is_multicast or address.is_unspecified
    mapped = getattr(address, "ipv4_mapped", None) is not None
    if no_host or mapped or (address.version == 6 and address.is_link_local):
        raise UsageError(f"--ip {text}: a machine cannot have the address {address}")


def _options(text: str, options: Iterable[str], address: _Address) -> dict[str, _Address]:
    given: dict[str, _Address] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in {"gateway", "dns"} or key in given:
            raise UsageError(f"--ip {text}: cannot read {option!r}", hint=_HINT)
        other = _address(text, value)
        if other.version != address.version:
            raise UsageError(
                f"--ip {text}: {key}={other} is of another kind than {address}",
                hint="give the gateway and name server of each kind with its own --ip",
            )
        given[key] = other
    return given


def _address(text: str, address: str) -> _Address:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f"--ip {text}: {address!r} is no IP address", hint=_HINT) from None
    if getattr(parsed, "scope_id", None) is not None:
        raise UsageError(f"--ip {text}: {address!r} names a card of this host", hint=_HINT)
    return parsed
