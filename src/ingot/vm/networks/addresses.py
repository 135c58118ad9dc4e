"""The fixed address of a machine's first card: the `--ip` option. Pure."""

from __future__ import annotations

import ipaddress

from ingot.base.errors import UsageError
from ingot.vm.machine import StaticAddress

DEFAULT_GUEST_ADDRESS = "10.0.2.15"
"""What QEMU's user network leases to the first guest that asks."""
_PREFIX_LENGTH_DEFAULT = 24
_PREFIX_LENGTH_MIN = 8
_PREFIX_LENGTH_MAX = 29
_ADDRESS_HINT = "write it like 192.168.65.101 or 10.1.2.3/24,gateway=10.1.2.1,dns=10.1.2.1"


def parse_address(text: str) -> StaticAddress:
    """Read `--ip A[/PREFIX][,gateway=G][,dns=D]`: the address of the guest's first card.

    Raises:
        UsageError: no IPv4 host address, or a prefix that leaves no room for others.
    """
    head, *options = text.split(",")
    address_text, slash, prefix_text = head.partition("/")
    address = _ipv4(text, address_text)
    if slash and not (prefix_text.isascii() and prefix_text.isdigit()):
        raise UsageError(f"--ip {text}: not an IPv4 address", hint=_ADDRESS_HINT)
    prefix_length = int(prefix_text) if slash else _PREFIX_LENGTH_DEFAULT
    if not _PREFIX_LENGTH_MIN <= prefix_length <= _PREFIX_LENGTH_MAX:
        raise UsageError(
            f"--ip {text}: the prefix length must be {_PREFIX_LENGTH_MIN} to {_PREFIX_LENGTH_MAX}"
        )
    network = ipaddress.IPv4Network((address, prefix_length), strict=False)
    if address in (network.network_address, network.broadcast_address):
        raise UsageError(f"--ip {text}: {address} is no host address of {network}")
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        raise UsageError(f"--ip {text}: a machine cannot have the address {address}")
    given: dict[str, str] = {}
    for option in options:
        key, _, value = option.partition("=")
        if key not in {"gateway", "dns"} or key in given:
            raise UsageError(f"--ip {text}: cannot read {option!r}", hint=_ADDRESS_HINT)
        given[key] = str(_ipv4(text, value))
    gateway = given.get("gateway")
    if gateway is not None and ipaddress.IPv4Address(gateway) not in network:
        raise UsageError(f"--ip {text}: the gateway {gateway} is not in {network}")
    return StaticAddress(
        address=str(address),
        prefix_length=prefix_length,
        network=str(network),
        gateway=gateway,
        dns=given.get("dns"),
    )


def beside(address: StaticAddress) -> list[str]:
    """Return the places of a network that QEMU's user network takes its own from: .2 to .5."""
    first = ipaddress.IPv4Network(address.network).network_address
    return [str(first + offset) for offset in (2, 3, 4, 5)]


def _ipv4(text: str, address: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(address)
    except ValueError:
        raise UsageError(f"--ip {text}: not an IPv4 address", hint=_ADDRESS_HINT) from None
