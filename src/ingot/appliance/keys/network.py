"""The `network` and `ntp` keys of an appliance file, and the lines that the boot script reads."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

import yaml

from ingot.appliance.keys.basics import known_fields
from ingot.base.document import Reader

FIRST_CARD = "eth0"
MTU_MIN, MTU_MAX = 576, 65535

_CARD = re.compile(r"[a-z][a-z0-9]{0,14}")
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}")
_CARD_KEYS = ("address", "gateway", "dhcp", "dhcp6", "ipv6", "mtu")


@dataclass(frozen=True, slots=True)
class Card:
    """A network card.

    Attributes:
        addresses: fixed ones of both families, with their prefix lengths.
        gateways: one of a family at most.
        dhcp: whether component:dhcp asks for an IPv4 address.
        dhcp6: whether it asks for an IPv6 address; None does what routers say.
        ipv6: `auto` takes what routers announce, `manual` only what is given, `off` none.
        mtu: None leaves the driver's.
    """

    name: str = FIRST_CARD
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dhcp: bool = True
    dhcp6: bool | None = None
    ipv6: str = "auto"
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The machine's name, cards and name servers; without a card, the first asks DHCP."""

    cards: tuple[Card, ...] = ()
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    hostname: str | None = None


def network_lines(network: Network) -> str:
    """Return what `/usr/lib/ingot/network` reads: lines of KIND, VALUE and, where it has one, CARD.

    Lines of a card stand in the order in which they must be done.
    """
    lines: list[str] = []
    for card in network.cards:
        lines += [f"ipv6 {card.ipv6} {card.name}"] if card.ipv6 != "auto" else []
        lines += [f"mtu {card.mtu} {card.name}"] if card.mtu is not None else []
        lines.append(f"up - {card.name}")
        lines += [f"address {address} {card.name}" for address in card.addresses]
        lines += [f"gateway {gateway} {card.name}" for gateway in card.gateways]
        lines += [f"dhcp - {card.name}"] if card.dhcp else []
        if card.dhcp6 is not None:
            lines.append(f"dhcp6 {'-' if card.dhcp6 else 'off'} {card.name}")
    lines += [f"dns {server}" for server in network.dns]
    lines += [f"search {domain}" for domain in network.search]
    return "".join(f"{line}\n" for line in lines)


def read_network(reader: Reader, node: yaml.Node) -> Network:
    """Read `network`: keys of the first card, or a list of `interfaces`, and what all share."""
    shared = ("dns", "search", "hostname")
    nodes = known_fields(reader, node, (*_CARD_KEYS, *shared, "interfaces"))
    for server in reader.items(nodes["dns"]) if "dns" in nodes else ():
        _check_address(reader, server, ipaddress.ip_address)
    hostname = reader.string(nodes["hostname"]) if "hostname" in nodes else None
    if hostname is not None and not _HOST_NAME.fullmatch(hostname):
        reader.problem(nodes["hostname"], f"{hostname!r} is no host name: letters, digits and -")
    for domain in reader.items(nodes["search"]) if "search" in nodes else ():
        if not _SERVER.fullmatch(reader.string(domain) or ""):
            reader.problem(domain, "a search domain is a name such as example.org")
    cards: list[Card] = []
    if "interfaces" in nodes:
        for key in sorted(set(_CARD_KEYS) & nodes.keys()):
            reader.problem(nodes[key], f"{key!r} belongs into an entry of `interfaces` here")
        cards += _cards(reader, nodes["interfaces"])
    elif set(_CARD_KEYS) & nodes.keys():
        cards.append(_card(reader, node, nodes, FIRST_CARD))
    return Network(
        cards=tuple(cards),
        dns=reader.strings(nodes["dns"]) if "dns" in nodes else (),
        search=reader.strings(nodes["search"]) if "search" in nodes else (),
        hostname=hostname,
    )


def read_servers(reader: Reader, node: yaml.Node) -> tuple[str, ...]:
    """Read `ntp`: names or addresses of time servers."""
    for item in reader.items(node):
        if not _SERVER.fullmatch(reader.string(item) or ""):
            reader.problem(item, "a time server is a name or an address")
    servers = reader.strings(node)
    if not servers:
        reader.problem(node, "name a time server, or leave `ntp` out")
    return servers


def _cards(reader: Reader, node: yaml.Node) -> list[Card]:
    cards: list[Card] = []
    for item in reader.items(node):
        nodes = known_fields(reader, item, ("name", *_CARD_KEYS))
        name = reader.string(nodes["name"]) if "name" in nodes else None
        if name is None or not _CARD.fullmatch(name):
            reader.problem(item, "an interface needs a name such as eth0 or eth1")
            continue
        if name in {card.name for card in cards}:
            reader.problem(item, f"two interfaces have the name {name!r}")
        cards.append(_card(reader, item, nodes, name))
    return cards


def _card(reader: Reader, node: yaml.Node, nodes: dict[str, yaml.Node], name: str) -> Card:
    addresses = _one_or_more(reader, nodes, "address")
    gateways = _one_or_more(reader, nodes, "gateway")
    for item, address in addresses:
        _check_address(reader, item, ipaddress.ip_interface)
        if "/" not in address:
            reader.problem(item, "an address has its prefix length: 192.168.1.5/24")
    families: set[bool] = set()
    for item, gateway in gateways:
        _check_address(reader, item, ipaddress.ip_address)
        if (":" in gateway) in families:
            reader.problem(item, "one gateway of a family is enough")
        families.add(":" in gateway)
    fixed = any(":" not in address for _, address in addresses)
    dhcp = bool(reader.boolean(nodes["dhcp"])) if "dhcp" in nodes else not fixed
    if dhcp and fixed:
        reader.problem(nodes["dhcp"], "DHCP would replace the IPv4 address that is given")
    dhcp6 = reader.boolean(nodes["dhcp6"]) if "dhcp6" in nodes else None
    ipv6 = reader.choice(nodes["ipv6"], ("auto", "manual", "off")) if "ipv6" in nodes else None
    if ipv6 == "off" and any(":" in address for _, address in (*addresses, *gateways)):
        reader.problem(node, "an IPv6 address is given, and IPv6 is off")
    if ipv6 == "off" and dhcp6:
        reader.problem(nodes["dhcp6"], "DHCPv6 is to give an address, and IPv6 is off")
    return Card(
        name=name,
        addresses=tuple(address for _, address in addresses),
        gateways=tuple(gateway for _, gateway in gateways),
        dhcp=dhcp,
        dhcp6=dhcp6,
        ipv6=ipv6 or "auto",
        mtu=reader.integer(nodes["mtu"], low=MTU_MIN, high=MTU_MAX) if "mtu" in nodes else None,
    )


def _one_or_more(
    reader: Reader, nodes: dict[str, yaml.Node], key: str
) -> list[tuple[yaml.Node, str]]:
    if key not in nodes:
        return []
    node = nodes[key]
    items = list(reader.items(node)) if isinstance(node, yaml.SequenceNode) else [node]
    return [(item, reader.string(item) or "") for item in items]


def _check_address(reader: Reader, node: yaml.Node, parse: Callable[[str], object]) -> None:
    try:
        parse(reader.string(node) or "")
    except ValueError as error:
        reader.problem(node, str(error))
