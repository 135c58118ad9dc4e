"""The network of an appliance: lines from YAML, and what the boot script makes of them."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ingot.system
from ingot.appliance.keys.network import network_lines
from ingot.appliance.spec import Appliance

Parse = Callable[[str], Appliance]
SCRIPT = Path(next(iter(ingot.system.__path__))) / "init/network"

CARDS = """
network:
  dns: [10.0.0.53]
  search: [example.org]
  interfaces:
    - {name: eth0, mtu: 1400, ipv6: manual}
    - name: eth1
      address: [192.168.1.5/24, "fd00::5/64"]
      gateway: [192.168.1.1, "fd00::1"]
    - {name: eth2, dhcp: false, ipv6: off}
    - {name: eth3, dhcp: false, dhcp6: true}
    - {name: eth4, dhcp6: false}
"""


def lines(parse: Parse, text: str) -> list[str]:
    network = parse(text).network
    assert network is not None
    return network_lines(network).splitlines()


def test_cards_become_lines_in_the_order_of_doing(parse: Parse) -> None:
    assert lines(parse, CARDS) == [
        *("ipv6 manual eth0", "mtu 1400 eth0", "up - eth0", "dhcp - eth0"),
        *("up - eth1", "address 192.168.1.5/24 eth1", "address fd00::5/64 eth1"),
        *("gateway 192.168.1.1 eth1", "gateway fd00::1 eth1"),
        *("ipv6 off eth2", "up - eth2"),
        *("up - eth3", "dhcp6 - eth3", "up - eth4", "dhcp - eth4", "dhcp6 off eth4"),
        *("dns 10.0.0.53", "search example.org"),
    ]


def test_a_fixed_ipv6_address_leaves_ipv4_to_dhcp(parse: Parse) -> None:
    found = lines(parse, "network: {address: 'fd00::5/64'}")
    assert found == ["up - eth0", "address fd00::5/64 eth0", "dhcp - eth0"]


def test_a_name_alone_touches_no_card(parse: Parse) -> None:
    network = parse("network: {hostname: objects}").network
    assert network is not None
    assert (network.hostname, network_lines(network)) == ("objects", "")


Boot = Callable[[str, str], list[str]]


@pytest.fixture
def boot(tmp_path: Path) -> Boot:
    """Run the boot's script with a command line and lines; returns the calls of `ip`."""
    machine = tmp_path / "run"
    for folder in ("network", "resolvconf"):
        (machine / folder).mkdir(parents=True)
    script = SCRIPT.read_text().replace("/run/", f"{machine}/")
    (tmp_path / "network").write_text(script.replace("/proc/cmdline", f"{tmp_path}/cmdline"))
    (tmp_path / "ip").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\n')
    (tmp_path / "ip").chmod(0o755)

    def run(cmdline: str, text: str) -> list[str]:
        (tmp_path / "cmdline").write_text(cmdline + "\n")
        (tmp_path / "lines").write_text(text)
        (tmp_path / "calls").write_text("")
        subprocess.run(
            ["sh", tmp_path / "network", tmp_path / "lines"],
            check=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        return (tmp_path / "calls").read_text().splitlines()

    return run


UP = ["-4 address flush dev {0}", "-6 address flush dev {0} scope global", "link set {0} up"]


def up(card: str) -> list[str]:
    return [call.format(card) for call in UP]


def test_lines_are_done_one_after_another(boot: Boot, tmp_path: Path) -> None:
    text = "mtu 1400 eth0\nup - eth0\naddress 10.0.0.2/8 eth0\ngateway 10.0.0.1 eth0\n"
    text += "address fd00::2/64 eth0\ngateway fd00::1 eth0\ndns 9.9.9.9\nsearch a.b\nsearch c.d\n"
    assert boot("quiet panic=-1", text) == [
        "link set eth0 mtu 1400",
        *up("eth0"),
        "address add 10.0.0.2/8 dev eth0",
        "route replace default via 10.0.0.1 dev eth0",
        "address add fd00::2/64 dev eth0",
        "-6 route replace default via fd00::1 dev eth0",
    ]
    servers = (tmp_path / "run/resolvconf/resolv.conf").read_text()
    assert servers == "search a.b c.d\nnameserver 9.9.9.9\n"
    assert (tmp_path / "run/network/address").read_text() == "10.0.0.2\n"


def test_the_command_line_wins_card_by_card(boot: Boot, tmp_path: Path) -> None:
    text = "up - eth0\ndhcp - eth0\nup - eth1\naddress 10.1.0.2/16 eth1\ndns 9.9.9.9\n"
    calls = boot("a=b ingot.ip=10.0.0.2/8,10.0.0.1,1.1.1.1,2.2.2.2 ingot.ip.eth2=fd00::2/64", text)
    assert calls == [
        *up("eth0"),
        "address add 10.0.0.2/8 dev eth0",
        "route replace default via 10.0.0.1 dev eth0",
        *up("eth2"),
        "address add fd00::2/64 dev eth2",
        *up("eth1"),
        "address add 10.1.0.2/16 dev eth1",
    ]
    servers = (tmp_path / "run/resolvconf/resolv.conf").read_text()
    assert servers == "nameserver 1.1.1.1\nnameserver 2.2.2.2\n"
    assert "dhcp" not in (tmp_path / "run/network/plan").read_text()


def test_the_command_line_lets_cards_ask(boot: Boot, tmp_path: Path) -> None:
    text = "up - eth0\naddress 10.0.0.2/8 eth0\nup - eth1\ndhcp - eth1\n"
    calls = boot("ingot.ip=dhcp ingot.ip=dhcp6 ingot.ip.eth2=dhcp6 ingot.ip=fd00::2/64", text)
    assert calls == [*up("eth0"), *up("eth2"), "address add fd00::2/64 dev eth0", *up("eth1")]
    plan = (tmp_path / "run/network/plan").read_text().splitlines()
    assert [line for line in plan if line.startswith("dhcp")] == [
        *("dhcp - eth0", "dhcp6 - eth0", "dhcp6 - eth2", "dhcp - eth1"),
    ]


def test_name_servers_alone_can_be_told(boot: Boot, tmp_path: Path) -> None:
    assert boot("ingot.dns=1.1.1.1,2.2.2.2", "") == []
    assert (tmp_path / "run/network/plan").read_text() == "dns 1.1.1.1\ndns 2.2.2.2\n"
    assert not (tmp_path / "run/network/address").exists()


def test_an_unknown_line_stops_it(boot: Boot) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        boot("quiet", "adress 10.0.0.2/8 eth0\n")
