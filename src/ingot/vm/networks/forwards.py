"""How published ports reach a guest: by QEMU's forwards, and past them for IPv6.

QEMU 7.2 takes no IPv6 address to listen on. A port on one is listened on here, by a relay beside
the machine, which passes on to the forward that the port has on an IPv4 address too, or else to
one on a free port of 127.0.0.1 that QEMU chose by itself. Two forwards to one UDP port of the guest
there never are: QEMU sends all answers out of one of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ingot.base.errors import Error
from ingot.vm.machine import PublishedPort
from ingot.vm.networks.ports import listening

_RELAY = "ingot.vm.networks.relay"
_LOOPBACK = "127.0.0.1"
_START_TIMEOUT_S = 30.0
# A line of `info usernet`: TCP[HOST_FORWARD]  12  127.0.0.1 34567  10.0.2.15  80  0  0
_FORWARD = re.compile(r"(TCP|UDP)\[HOST_FORWARD\]\s+\d+\s+(\S+)\s+(\d+)\s+\S+\s+(\d+)\s")


class Doors:
    """The IPv6 sockets of a machine that is being started.

    Args:
        ports: those on IPv6 addresses.
        sockets: what listens for each.
    """

    def __init__(self, ports: list[PublishedPort], sockets: list[socket.socket]) -> None:
        self._ports = ports
        self._sockets = sockets

    def pass_on(self, usernet: Callable[[], str], pid: int, log: Path) -> None:
        """Start the relay; it ends with the machine.

        Args:
            usernet: asks the hypervisor for its `info usernet`.
            pid: the machine's process.
            log: where the relay's errors go.

        Raises:
            Error: a forward is missing, or the relay does not start.
        """
        if not self._ports:
            return
        forwards = parse_forwards(usernet())
        words = []
        for port, listener in zip(self._ports, self._sockets, strict=True):
            inner = forwards.get((port.protocol, port.guest_port))
            if inner is None:
                raise Error(f"port {port}: the hypervisor has no forward for it")
            words.append(f"{listener.fileno()}:{inner[0]}:{inner[1]}")
        descriptor = os.pidfd_open(pid)
        try:
            _start(words, descriptor, [each.fileno() for each in self._sockets], log)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def opened(ports: Iterable[PublishedPort]) -> Iterator[Doors]:
    """Listen on a machine's IPv6 ports while it is started within.

    Raises:
        ConflictError, DeniedError, UsageError: see `check_ports_free`.
    """
    on_ipv6 = [port for port in ports if port.is_ipv6]
    with contextlib.ExitStack() as stack:
        yield Doors(on_ipv6, [stack.enter_context(listening(port)) for port in on_ipv6])


def forward_rules(ports: Sequence[PublishedPort], guest: str) -> list[str]:
    """Return QEMU's forwards for the published ports; port 0 lets it choose a free one.

    Args:
        ports: all of the machine.
        guest: the guest's address; empty is the first that QEMU leases.
    """
    rules, served = [], set()
    for port in sorted(ports, key=lambda port: port.is_ipv6):
        inside = (port.protocol, port.guest_port)
        if port.is_ipv6 and inside in served:
            continue
        served.add(inside)
        host = f"{_LOOPBACK}:0" if port.is_ipv6 else f"{port.host_address}:{port.host_port}"
        rules.append(f"{port.protocol}:{host}-{guest}:{port.guest_port}")
    return rules


def parse_forwards(usernet: str) -> dict[tuple[str, int], tuple[str, int]]:
    """Return where QEMU listens, by protocol and port of the guest, out of `info usernet`."""
    return {
        (protocol.lower(), int(guest_port)): (_LOOPBACK if address == "*" else address, int(port))
        for protocol, address, port, guest_port in _FORWARD.findall(usernet)
    }


def _start(words: list[str], process: int, sockets: list[int], log: Path) -> None:
    command = [sys.executable, "-P", "-m", _RELAY, str(process), *words]
    with log.open("ab") as file:
        result = subprocess.run(
            command,
            pass_fds=[process, *sockets],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            check=False,
            timeout=_START_TIMEOUT_S,
        )
    if result.returncode:
        raise Error("the relay of IPv6 ports could not be started", hint=f"its words are in {log}")
