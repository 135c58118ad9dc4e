"""Config drives' YAML: flattened as PyYAML reads it, and a network-config turned into lines."""

import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import ingot.system

FOLDER = Path(next(iter(ingot.system.__path__))) / "metadata"
CARDS = "eth0=52:54:00:aa:00:01 eth1=52:54:00:aa:00:02"


def awk(script: str, text: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = ["awk", *options, "-f", FOLDER / script]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=20
    )


def lines(text: str) -> list[str]:
    flat = awk("yaml.awk", text)
    assert flat.returncode == 0, flat.stderr
    made = awk("network.awk", flat.stdout, "-v", f"cards={CARDS}")
    assert made.returncode == 0, made.stdout
    return made.stdout.splitlines()


VERSION_2 = """\
# made by a tool
network:
  version: 2
  ethernets:
    enp1s0:
      match:
        macaddress: "52:54:00:AA:00:02"
      addresses:
        - 192.168.1.10/24
        - "2001:db8::10/64"   # both
      routes:
        - to: default
          via: 192.168.1.1
      nameservers: {addresses: [192.168.1.53, 9.9.9.9], search: [example.org]}
      mtu: 1400
    eth0: {dhcp4: true, dhcp6: true, accept-ra: false}
"""
VERSION_1 = """\
version: 1
config:
- type: physical
  name: eth0
  mac_address: '52:54:00:aa:00:01'
  subnets:
  - type: static
    address: 10.0.0.5
    netmask: 255.255.252.0
    gateway: 10.0.0.1
    dns_nameservers:
      - 10.0.0.53
- type: physical
  name: ens4
  subnets:
    - {type: dhcp}
    - {type: dhcp6}
- type: nameserver
  address: [1.1.1.1]
"""


def test_version_2_finds_cards_by_address_and_name() -> None:
    assert lines(VERSION_2) == [
        *("up - eth1", "address 192.168.1.10/24 eth1", "address 2001:db8::10/64 eth1"),
        *("gateway 192.168.1.1 eth1", "mtu 1400 eth1", "up - eth0", "dhcp - eth0"),
        *("dhcp6 - eth0", "ipv6 manual eth0"),
        *("dns 192.168.1.53", "dns 9.9.9.9", "search example.org"),
    ]


def test_version_1_finds_cards_by_place_too() -> None:
    assert lines(VERSION_1) == [
        *("up - eth0", "address 10.0.0.5/22 eth0", "gateway 10.0.0.1 eth0"),
        *("up - eth1", "dhcp - eth1", "dhcp6 - eth1", "dns 10.0.0.53", "dns 1.1.1.1"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version: 2\nbonds: {bond0: {mtu: 1}}\n", "bonds are not understood"),
        ("version: 2\nethernets: {a: {match: {macaddress: '1:2'}}}\n", "no network card has"),
        ("version: 2\nethernets: {a: {}, b: {mtu: 1}, c: {mtu: 1}, d: {mtu: 1}}\n", "card for d"),
        (
            "version: 2\nethernets: {eth0: {routes: [{to: 10.0.0.0/8, via: 10.0.0.1}]}}\n",
            "other than the default",
        ),
    ],
)
def test_what_is_not_understood_is_named(text: str, reason: str) -> None:
    made = awk("network.awk", awk("yaml.awk", text).stdout, "-v", f"cards={CARDS}")
    assert made.returncode == 1
    assert reason in made.stdout


@pytest.mark.parametrize("text", ["a: |\n  text\n", "a: &x 1\n", "\ta: 1\n", "word\n", "a: {b}\n"])
def test_other_yaml_is_refused(text: str) -> None:
    flat = awk("yaml.awk", text)
    assert flat.returncode == 1
    assert "line " in flat.stderr


words = st.from_regex(r"[a-z][a-z0-9_.:/@-]{0,8}[a-z0-9]", fullmatch=True)
trees = st.recursive(
    words | st.from_regex(r"[A-Za-z0-9 #:,\[\]{}]{1,12}", fullmatch=True).map(str.strip),
    lambda below: (
        st.lists(below, min_size=1, max_size=3)
        | st.dictionaries(words.filter(lambda word: ":" not in word), below, min_size=1, max_size=3)
    ),
    max_leaves=8,
)


def flattened(node: object, path: str = "") -> list[str]:
    if isinstance(node, dict):
        return [line for key, value in node.items() for line in flattened(value, f"{path}/{key}")]
    if isinstance(node, list):
        return [
            line for index, value in enumerate(node) for line in flattened(value, f"{path}/{index}")
        ]
    return [f"{path}\t{node}"]


@given(st.dictionaries(words.filter(lambda word: ":" not in word), trees, min_size=1, max_size=4))
def test_blocks_are_flattened_as_yaml_reads_them(document: dict[str, object]) -> None:
    text = yaml.dump(document, default_flow_style=False, width=1000, sort_keys=False)
    flat = awk("yaml.awk", text)
    assert flat.returncode == 0, flat.stderr + text
    assert sorted(flat.stdout.splitlines()) == sorted(flattened(document)), text
