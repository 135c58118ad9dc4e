"""Published ports of a machine: the `--publish` option, and whether the host has them free."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import re
import socket
import time
from collections.abc import Iterable, Iterator

import msgspec

from ingot.base.errors import ConflictError, DeniedError, UsageError
from ingot.vm.machine import Protocol, PublishedPort

_LOOPBACK = "127.0.0.1"
_PUBLISH_HINT = "write it like 9000:9000, 0.0.0.0:80:8080, [::1]:80:8080 or 5353:53/udp"
_PARTS = re.compile(r"(?:(?P<address>\[[^\[\]]*\]|[^:\[\]]*):)?(?P<host>[^:]*):(?P<guest>[^:]*)")
_EVERY = {False: "0.0.0.0", True: "::"}  # noqa: S104 # compared, not bound
_QUEUE = 128
# The relay of a machine that has just ended lets go of its ports a moment later.
_RELEASE_TIMEOUT_S = 1.0
_RELEASE_POLL_S = 0.02


def parse_publish(text: str) -> PublishedPort:
    """Read `[HOSTADDR:]HOST:GUEST[/tcp|udp]`; without a host address it is 127.0.0.1 only.

    An IPv6 address stands in brackets.

    Raises:
        UsageError: the text has another form, a port is out of range, or the address is none.
    """
    ports, slash, protocol = text.partition("/")
    if slash and protocol not in {"tcp", "udp"}:
        raise UsageError(f"--publish {text}: {protocol!r} is no protocol", hint=_PUBLISH_HINT)
    parts = _PARTS.fullmatch(ports)
    if parts is None:
        why = "HOST:GUEST is missing"
        if ports.count(":") > 2:
            why = "an IPv6 address stands in brackets"
        raise UsageError(f"--publish {text}: {why}", hint=_PUBLISH_HINT)
    kind: Protocol = "udp" if protocol == "udp" else "tcp"
    address = parts["address"]
    return PublishedPort(
        host_address=_LOOPBACK if address is None else _host_address(text, address),
        host_port=_port(text, parts["host"]),
        guest_port=_port(text, parts["guest"]),
        protocol=kind,
    )


def parse_publishes(texts: Iterable[str]) -> tuple[PublishedPort, ...]:
    """Read every `--publish` of a command line.

    Raises:
        UsageError: one is malformed, or two claim the same host port or UDP port of the guest.
    """
    ports = tuple(parse_publish(text) for text in texts)
    udp = [port for port in ports if port.protocol == "udp" and not port.is_ipv6]
    for index, port in enumerate(udp):
        # QEMU would send the answers to both out of one of them.
        if port.guest_port in [other.guest_port for other in udp[:index]]:
            raise UsageError(
                f"--publish {written(port)}: a UDP port of the guest answers at one IPv4 address"
                " of the host only",
                hint=f"publish it on all: --publish 0.0.0.0:{port.host_port}:{port.guest_port}/udp",
            )
    for index, port in enumerate(ports):
        for other in ports[:index]:
            if overlap(port, other):
                raise UsageError(
                    f"--publish {written(port)}: host port {port.host_port}/"
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
    same = (one.host_port, one.protocol, one.is_ipv6)
    return same == (other.host_port, other.protocol, other.is_ipv6) and (
        len(addresses) == 1 or _EVERY[one.is_ipv6] in addresses
    )


def check_ports_free(ports: Iterable[PublishedPort]) -> None:
    """Make sure that each host port can be bound now, so that the error names it.

    Raises:
        ConflictError: something else listens there.
        DeniedError: this user may not bind it.
        UsageError: the address is not one of this host.
    """
    for port in ports:
        with listening(port):
            pass


@contextlib.contextmanager
def listening(port: PublishedPort) -> Iterator[socket.socket]:
    """Listen on a published port of the host.

    Raises:
        ConflictError, DeniedError, UsageError: see `check_ports_free`.
    """
    deadline_s = time.monotonic() + _RELEASE_TIMEOUT_S
    while True:
        listener = _socket(port)
        with contextlib.closing(listener):
            try:
                listener.bind((port.host_address, port.host_port))
                if port.protocol == "tcp":
                    listener.listen(_QUEUE)
            except OSError as error:
                in_use = error.errno == errno.EADDRINUSE
                if not (port.is_ipv6 and in_use and time.monotonic() < deadline_s):
                    _refuse(port, error)
            else:
                yield listener
                return
        time.sleep(_RELEASE_POLL_S)


def _socket(port: PublishedPort) -> socket.socket:
    family = socket.AF_INET6 if port.is_ipv6 else socket.AF_INET
    kind = socket.SOCK_STREAM if port.protocol == "tcp" else socket.SOCK_DGRAM
    listener = socket.socket(family, kind)
    if port.is_ipv6:
        # [::] is all of IPv6, and 0.0.0.0 all of IPv4.
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if port.protocol == "tcp":
        # As QEMU does: connections in TIME_WAIT do not keep the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def _refuse(port: PublishedPort, error: OSError) -> None:
    where = f"{port.endpoint}/{port.protocol}"
    flag = f"--publish {written(port)}"
    if error.errno == errno.EADDRINUSE:
        another = msgspec.structs.replace(port, host_port=port.host_port % 65535 + 1)
        raise ConflictError(
            f"{flag}: {where} is already in use on this host",
            hint=f"publish another, as in --publish {written(another)}",
        ) from error
    if error.errno in {errno.EACCES, errno.EPERM}:
        raise DeniedError(
            f"{flag}: this user may not listen on {where}", hint="publish a host port above 1023"
        ) from error
    raise UsageError(f"{flag}: cannot listen on {where}: {error.strerror}") from error


def written(port: PublishedPort) -> str:
    """Return the port as the flag says it."""
    host = str(port.host_port) if port.host_address == _LOOPBACK else port.endpoint
    return f"{host}:{port.guest_port}" + ("" if port.protocol == "tcp" else f"/{port.protocol}")


def _host_address(text: str, written: str) -> str:
    if written == "localhost":
        return _LOOPBACK
    bare = written.removeprefix("[").removesuffix("]")
    try:
        if bare == written:
            return str(ipaddress.IPv4Address(bare))
        address = ipaddress.IPv6Address(bare)
    except ValueError:
        raise UsageError(
            f"--publish {text}: {written!r} is not an IP address", hint=_PUBLISH_HINT
        ) from None
    if address.is_link_local or address.ipv4_mapped is not None:
        raise UsageError(
            f"--publish {text}: {written} cannot be published on",
            hint="use ::1, a global address of this host, or :: for all of them",
        )
    return str(address)


def _port(text: str, port: str) -> int:
    if not _is_port(port):
        raise UsageError(
            f"--publish {text}: {port!r} is not a port from 1 to 65535", hint=_PUBLISH_HINT
        )
    return int(port)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535
