"""Published ports of a machine: the `--publish` option, and whether the host has them free."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
from collections.abc import Iterable

from ingot.base.errors import ConflictError, DeniedError, UsageError
from ingot.vm.machine import Protocol, PublishedPort

_LOOPBACK = "127.0.0.1"
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
