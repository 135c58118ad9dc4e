"""A machine's network options: published ports and the fixed address, parsed and checked."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable

from ingot.base.errors import ConflictError, DeniedError, UsageError
from ingot.vm.machine import Protocol, PublishedPort, StaticAddress

DEFAULT_GUEST_ADDRESS = "10.0.2.15"
"""What QEMU's user network leases to the first guest that asks."""

_LOOPBACK = "127.0.0.1"
_PREFIX_LENGTH_DEFAULT = 24
_PREFIX_LENGTH_MIN = 8
_PREFIX_LENGTH_MAX = 29
_ADDRESS_HINT = "write it like 192.168.65.101 or 10.1.2.3/24,gateway=10.1.2.1,dns=10.1.2.1"
_PUBLISH_HINT = "write it like 9000:9000, 0.0.0.0:80:8080 or 5353:53/udp"


def parse_publish(text: str) -> PublishedPort:
    """Read `[HOSTADDR:]HOST:GUEST[/tcp|udp]`; without a host address it is 127.0.0.1 only.

    Raises:
        UsageError: the text has another form, a port is out of range, or the address is no IPv4.
    """
    ports, slash, protocol = text.partition("/")
    if slash and protocol not in {"tcp", "udp"}:
        raise UsageError(f"--publish {text}: {protocol!r} is no protocol", hint=_PUBLISH_HINT)
    if "[" in ports or ports.count(":") > 2:
        raise UsageError(
            f"--publish {text}: only IPv4 addresses can be published", hint=_PUBLISH_HINT
        )
    address, host, guest = _split_ports(text, ports)
    kind: Protocol = "udp" if protocol == "udp" else "tcp"
    return PublishedPort(
        host_address=_host_address(text, address),
        host_port=_port(text, host),
        guest_port=_port(text, guest),
        protocol=kind,
    )


def parse_publishes(texts: Iterable[str]) -> tuple[PublishedPort, ...]:
    """Read every `--publish` of a command line.

    Raises:
        UsageError: one is malformed, or two claim the same host port.
    """
    ports = tuple(parse_publish(text) for text in texts)
    for index, port in enumerate(ports):
        for other in ports[:index]:
            if overlap(port, other):
                raise UsageError(
                    f"--publish {port.host_port}:{port.guest_port}: host port {port.host_port}/"
                    f"{port.protocol} is published twice"
                )
    return ports


def parse_guest_port(text: str) -> tuple[int, Protocol]:
    """Read a port of the guest, `PORT[/tcp|udp]`.

    Raises:
        UsageError: it is none.
    """
    port, slash, protocol = text.partition("/")
    if not _is_port(port) or (slash and protocol not in {"tcp", "udp"}):
        raise UsageError(f"{text!r} is no port", hint="write it like 9000 or 53/udp")
    return int(port), "udp" if protocol == "udp" else "tcp"


def overlap(one: PublishedPort, other: PublishedPort) -> bool:
    """Tell whether two published ports would claim the same socket of the host."""
    addresses = {one.host_address, other.host_address}
    return (
        (one.host_port, one.protocol) == (other.host_port, other.protocol)
        and (len(addresses) == 1 or "0.0.0.0" in addresses)  # noqa: S104 # compared, not bound
    )


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


def check_ports_free(ports: Iterable[PublishedPort]) -> None:
    """Make sure that each host port can be bound now, so that the error names it.

    Raises:
        ConflictError: something else listens there.
        DeniedError: this user may not bind it.
        UsageError: the address is not one of this host.
    """
    for port in ports:
        kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
        with contextlib.closing(socket.socket(socket.AF_INET, kind)) as probe:
            if port.protocol == "tcp":
                # As QEMU does: connections in TIME_WAIT do not keep the port.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((port.host_address, port.host_port))
                if port.protocol == "tcp":
                    probe.listen(1)
            except OSError as error:
                _refuse(port, error)


def _refuse(port: PublishedPort, error: OSError) -> None:
    where = f"{port.host_address}:{port.host_port}/{port.protocol}"
    flag = f"--publish {port.host_port}:{port.guest_port}"
    if error.errno == errno.EADDRINUSE:
        raise ConflictError(
            f"{flag}: {where} is already in use on this host",
            hint=f"publish another, as in --publish {port.host_port + 1}:{port.guest_port}",
        ) from error
    if error.errno in {errno.EACCES, errno.EPERM}:
        raise DeniedError(
            f"{flag}: this user may not listen on {where}", hint="publish a host port above 1023"
        ) from error
    raise UsageError(f"{flag}: cannot listen on {where}: {error.strerror}") from error


def _split_ports(text: str, ports: str) -> tuple[str, str, str]:
    match ports.split(":"):
        case [host, guest]:
            return _LOOPBACK, host, guest
        case [address, host, guest]:
            return address, host, guest
        case _:
            raise UsageError(f"--publish {text}: HOST:GUEST is missing", hint=_PUBLISH_HINT)


def _host_address(text: str, address: str) -> str:
    if address == "localhost":
        return _LOOPBACK
    try:
        return str(ipaddress.IPv4Address(address))
    except ValueError:
        raise UsageError(
            f"--publish {text}: {address!r} is not an IPv4 address", hint=_PUBLISH_HINT
        ) from None


def _port(text: str, port: str) -> int:
    if not _is_port(port):
        raise UsageError(
            f"--publish {text}: {port!r} is not a port from 1 to 65535", hint=_PUBLISH_HINT
        )
    return int(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535


def _ipv4(text: str, address: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(address)
    except ValueError:
        raise UsageError(f"--ip {text}: not an IPv4 address", hint=_ADDRESS_HINT) from None
