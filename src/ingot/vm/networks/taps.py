"""Network interfaces of this host for machines: checks of what exists, and taps on bridges."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from ingot.base.errors import DeniedError, Error, NotFoundError, UsageError
from ingot.vm.machine import BridgeMeaning, Network

# linux/if_tun.h, linux/sockios.h, linux/if.h, linux/if_arp.h
_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_VNET_HDR = 0x4000
_SIOCSIFFLAGS = 0x8914
_SIOCGIFMTU = 0x8921
_SIOCSIFMTU = 0x8922
_SIOCSIFHWADDR = 0x8924
_SIOCBRADDIF = 0x89A2
_IFF_UP = 0x1
_ARPHRD_ETHER = 1

_TUN = Path("/dev/net/tun")
_NAME_PATTERN = b"ingot%d"


def check_interfaces(networks: Iterable[Network], bridge_meaning: BridgeMeaning) -> None:
    """Make sure that the host has the taps and bridges that are named.

    Args:
        networks: the machine's.
        bridge_meaning: what its hypervisor calls a bridge.

    Raises:
        NotFoundError: one is missing.
        UsageError: one is something else than the flag says.
    """
    for network in networks:
        if network.interface is None or (network.kind, bridge_meaning) == ("bridge", "own"):
            continue
        flag = f"--network {network.kind}={network.interface}"
        try:
            socket.if_nametoindex(network.interface)
        except OSError as error:
            raise NotFoundError(
                f"{flag}: this host has no interface {network.interface}",
                hint=f"make it, as root: {_recipe(network.interface, network.kind)}"
                if bridge_meaning == "bridge"
                else "'ip link' lists the interfaces of this host",
            ) from error
        if (network.kind, bridge_meaning) == ("bridge", "interface"):
            continue
        own = Path("/sys/class/net") / network.interface
        if not (own / ("bridge" if network.kind == "bridge" else "tun_flags")).exists():
            raise UsageError(f"{flag}: {network.interface} is no {network.kind}")


def open_bridge_tap(network: Network) -> int:
    """Make a tap that is a port of the bridge, and return its descriptor.

    The tap is the descriptor's: it goes when the last process that has it open ends.

    Raises:
        DeniedError: this user may not change the host's network.
        Error: the bridge does not take it.
    """
    assert network.interface is not None
    tap = None
    try:
        tap = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC)
        request = struct.pack("16sH22x", _NAME_PATTERN, _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR)
        name = fcntl.ioctl(tap, _TUNSETIFF, request)[:16]
        _join(name, network.interface, network.mac)
    except OSError as error:
        if tap is not None:
            os.close(tap)
        flag = f"--network bridge={network.interface}"
        if error.errno in {errno.EPERM, errno.EACCES}:
            raise DeniedError(
                f"{flag}: only root may put a machine on a bridge",
                hint="let root make a tap for you once, and use --network tap=NAME:"
                f" ip tuntap add NAME mode tap user {os.getuid()};"
                f" ip link set NAME master {network.interface} up",
            ) from error
        raise Error(f"{flag}: {error.strerror}") from error
    return tap


def _join(tap: bytes, bridge: str, mac: str) -> None:
    """Give the tap an address and the bridge's MTU, bring it up, and make it a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        # A bridge takes the lowest address of its ports: with fe: in front it keeps its own.
        address = bytes.fromhex("fe" + mac[2:].replace(":", ""))
        hardware = struct.pack("16sH6s16x", tap, _ARPHRD_ETHER, address)
        fcntl.ioctl(control, _SIOCSIFHWADDR, hardware)
        bridge_name = bridge.encode()
        answer = fcntl.ioctl(control, _SIOCGIFMTU, struct.pack("16s24x", bridge_name))
        fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16s4s20x", tap, answer[16:20]))
        index = socket.if_nametoindex(tap.rstrip(b"\0").decode())
        fcntl.ioctl(control, _SIOCBRADDIF, struct.pack("16si20x", bridge_name, index))
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", tap, _IFF_UP))


def _recipe(interface: str, kind: str) -> str:
    if kind == "bridge":
        return f"ip link add {interface} type bridge; ip link set {interface} up"
    return f"ip tuntap add {interface} mode tap user {os.getuid()}; ip link set {interface} up"
