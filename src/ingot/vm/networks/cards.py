"""A machine's network cards: the `--network` option and what must be true of all of them. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence

import msgspec

from ingot.base.errors import UsageError
from ingot.vm.machine import MachineSpec, Network, StaticAddress, addresses_of
from ingot.vm.networks.addresses import DEFAULT_ADDRESS, beside

NETWORKS_MAX = 8

_HINT = "write it like user, tap=tap0, bridge=br0,mac=52:54:00:12:34:56 or none"
# Linux's IFNAMSIZ leaves 15 bytes; QEMU's option syntax splits at commas.
_INTERFACE = re.compile(r"[^\s/,:]{1,15}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_MULTICAST_BIT = 1


def parse_networks(texts: Iterable[str], uuid: str) -> tuple[Network, ...]:
    """Read every `--network` of a command line.

    Args:
        texts: `user | tap=INTERFACE | bridge=BRIDGE`, each with `[,mac=MAC]`, in the order of the
            guest's cards; or `none` alone.
        uuid: the machine's identity, from which the cards without a MAC of their own get theirs.

    Raises:
        UsageError: one is malformed, or they cannot stand beside each other.
    """
    words = tuple(texts)
    if words == ("none",):
        return ()
    networks = tuple(_parse(text, index, uuid) for index, text in enumerate(words))
    if len(networks) > NETWORKS_MAX:
        raise UsageError(f"a machine has at most {NETWORKS_MAX} networks")
    if sum(network.kind == "user" for network in networks) > 1:
        raise UsageError("a machine has at most one user network: a second would be the same")
    _refuse_twice("MAC address", [network.mac for network in networks])
    _refuse_twice("tap", [network.interface for network in networks if network.kind == "tap"])
    return networks


def default_networks(uuid: str) -> tuple[Network, ...]:
    """Return what a machine has whose user said nothing: one card on QEMU's user network."""
    return (Network(kind="user", interface=None, mac=_mac(uuid, 0)),)


def check_networks(spec: MachineSpec, networks: tuple[Network, ...]) -> None:
    """Refuse an address or ports that no network of the machine can have.

    Raises:
        UsageError: the message names the flag.
    """
    for address in addresses_of(spec):
        if not networks:
            raise UsageError(f"--ip {address}: the machine has no network")
        if networks[0].kind == "user":
            _check_inside(address)
    if spec.ports and not any(network.kind == "user" for network in networks):
        raise UsageError(
            "--publish needs a user network",
            hint="on a tap or a bridge the guest's ports answer on its own address; or add"
            " --network user",
        )


def complete(
    spec: MachineSpec, networks: tuple[Network, ...]
) -> tuple[StaticAddress | None, StaticAddress | None]:
    """Return the fixed addresses, IPv4 and IPv6, as the first card's network has them.

    QEMU's user network needs a gateway and a name server and answers as both; on other networks
    they are what the user says they are, or absent. Told an IPv6 address, a guest asks for no
    lease; so that it keeps IPv4 on the user network, it is then told what it would be leased.
    """
    if not networks or networks[0].kind != "user":
        return spec.address, spec.address6
    address = spec.address
    if address is None and spec.address6 is not None:
        address = DEFAULT_ADDRESS
    return (
        None if address is None else _on_user_network(address),
        None if spec.address6 is None else _on_user_network(spec.address6),
    )


def _on_user_network(address: StaticAddress) -> StaticAddress:
    # QEMU's own habit: the host is .2 and the name server .3 of the network.
    taken = (address.address, address.gateway, address.dns)
    free = [candidate for candidate in beside(address) if candidate not in taken]
    gateway = address.gateway or free.pop(0)
    return msgspec.structs.replace(address, gateway=gateway, dns=address.dns or free.pop(0))


def _check_inside(address: StaticAddress) -> None:
    """Refuse a gateway and a name server that QEMU's user network cannot be."""
    network = ipaddress.ip_network(address.network)
    for what, other in (("gateway", address.gateway), ("name server", address.dns)):
        if other is not None and ipaddress.ip_address(other) not in network:
            raise UsageError(
                f"--ip {address}: on the user network the {what} is QEMU itself, and stands in"
                f" {network}, unlike {other}",
                hint=f"leave it out, or give an address of {network}",
            )


def _refuse_twice(what: str, values: Sequence[str | None]) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise UsageError(f"--network: the {what} {value} is given twice")


def _parse(text: str, index: int, uuid: str) -> Network:
    head, *options = text.split(",")
    kind, equals, interface = head.partition("=")
    mac = _mac(uuid, index)
    for option in options:
        key, _, value = option.partition("=")
        if key != "mac":
            raise UsageError(f"--network {text}: cannot read {option!r}", hint=_HINT)
        mac = _own_mac(text, value)
    if kind == "user" and not equals:
        return Network(kind="user", interface=None, mac=mac)
    if kind not in {"tap", "bridge"}:
        alone = " beside other networks" if kind == "none" else ""
        raise UsageError(f"--network {text}: {kind!r} is no network{alone}", hint=_HINT)
    if not _INTERFACE.fullmatch(interface):
        raise UsageError(
            f"--network {text}: {interface!r} cannot name a network interface", hint=_HINT
        )
    return Network(kind="tap" if kind == "tap" else "bridge", interface=interface, mac=mac)


def _own_mac(text: str, mac: str) -> str:
    mac = mac.lower()
    if not _MAC.fullmatch(mac) or int(mac[:2], 16) & _MULTICAST_BIT:
        raise UsageError(f"--network {text}: {mac!r} is no MAC address of a card", hint=_HINT)
    return mac


def _mac(uuid: str, index: int) -> str:
    # 52:54:00 is QEMU's own prefix; the rest is fixed for the card's life.
    tail = hashlib.sha256(f"{uuid}/{index}".encode()).digest()[:3]
    return "52:54:00:" + tail.hex(":")
