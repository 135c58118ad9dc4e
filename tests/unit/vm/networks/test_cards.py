import msgspec
import pytest

from ingot.base.errors import UsageError
from ingot.vm.machine import MachineSpec, Network, StaticAddress
from ingot.vm.networks.addresses import parse_address
from ingot.vm.networks.cards import check_networks, complete, default_networks, parse_networks

SPEC = MachineSpec(name="store", uuid="u", prefix="/b/store")


def test_each_card_is_plugged_into_what_is_named() -> None:
    networks = parse_networks(["user", "tap=tap0", "bridge=br-1,mac=02:00:00:AB:CD:EF"], "u")
    assert [(network.kind, network.interface) for network in networks] == [
        ("user", None),
        ("tap", "tap0"),
        ("bridge", "br-1"),
    ]
    assert networks[2].mac == "02:00:00:ab:cd:ef"
    assert all(network.mac.startswith("52:54:00:") for network in networks[:2])


def test_none_is_no_card_at_all() -> None:
    assert parse_networks(["none"], "u") == ()


def test_a_mac_is_of_one_machine_and_one_place() -> None:
    one, two = parse_networks(["bridge=br0", "bridge=br0"], "u")
    assert len({one.mac, two.mac, parse_networks(["bridge=br0"], "v")[0].mac}) == 3
    assert parse_networks(["bridge=br0"], "u") == (one,)


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["tap"], "'' cannot name"),
        (["tap="], "'' cannot name"),
        (["tap=a/b"], "cannot name"),
        (["bridge=sixteen-letters-"], "cannot name"),
        (["user=x"], "'user' is no network"),
        (["vlan"], "'vlan' is no network"),
        ([""], "'' is no network"),
        (["none", "user"], "'none' is no network beside other networks"),
        (["user,id=x"], "cannot read 'id=x'"),
        (["user,mac=52:54:00"], "no MAC address"),
        (["user,mac=01:00:5e:00:00:01"], "no MAC address of a card"),
        (["user", "user"], "at most one user network"),
        (["tap=t", "tap=t"], "tap t is given twice"),
        (["tap=t,mac=52:54:00:00:00:01", "user,mac=52:54:00:00:00:01"], "MAC address .* twice"),
        ([f"tap=t{index}" for index in range(9)], "at most 8 networks"),
    ],
)
def test_what_is_wrong_is_said(texts: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_networks(texts, "u")


@pytest.mark.parametrize(
    ("text", "gateway", "dns"),
    [
        ("192.168.65.101", "192.168.65.2", "192.168.65.3"),
        ("10.1.2.2/16", "10.1.0.2", "10.1.0.3"),
        ("10.0.0.2", "10.0.0.3", "10.0.0.4"),
        ("10.0.0.3/29", "10.0.0.2", "10.0.0.4"),
        ("10.0.0.9,gateway=10.0.0.2", "10.0.0.2", "10.0.0.3"),
        ("10.0.0.3,gateway=10.0.0.2,dns=10.0.0.4", "10.0.0.2", "10.0.0.4"),
        ("10.0.0.2,dns=10.0.0.3", "10.0.0.4", "10.0.0.3"),
    ],
)
def test_on_the_user_network_gateway_and_name_server_stand_beside_the_address(
    text: str, gateway: str, dns: str
) -> None:
    spec = msgspec.structs.replace(SPEC, address=parse_address(text))
    address, _ = complete(spec, default_networks("u"))
    assert address is not None
    assert (address.gateway, address.dns) == (gateway, dns)


def test_on_other_networks_nothing_is_made_up() -> None:
    address, address6 = parse_address("192.168.65.101"), parse_address("fd00::5")
    tap = (Network("tap", "tap0", "52:54:00:00:00:01"),)
    both = msgspec.structs.replace(SPEC, address=address, address6=address6)
    assert complete(both, tap) == (address, address6)
    assert complete(msgspec.structs.replace(SPEC, address6=address6), tap) == (None, address6)


def test_beside_an_ipv6_address_the_user_network_keeps_ipv4() -> None:
    spec = msgspec.structs.replace(SPEC, address6=parse_address("fd00::2"))
    address, address6 = complete(spec, default_networks("u"))
    assert address == StaticAddress("10.0.2.15", 24, "10.0.2.0/24", "10.0.2.2", "10.0.2.3")
    assert address6 == StaticAddress("fd00::2", 64, "fd00::/64", "fd00::3", "fd00::4")
    assert complete(SPEC, default_networks("u")) == (None, None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("10.0.0.5,dns=9.9.9.9", "the name server is QEMU itself, and stands in 10.0.0.0/24"),
        ("fd00::5,gateway=fe80::1", "the gateway is QEMU itself, and stands in fd00::/64"),
    ],
)
def test_what_serves_the_user_network_stands_in_it(text: str, words: str) -> None:
    address = parse_address(text)
    kind = {"address6" if address.is_ipv6 else "address": address}
    spec = msgspec.structs.replace(SPEC, **kind)
    with pytest.raises(UsageError, match=words) as caught:
        check_networks(spec, default_networks("u"))
    assert caught.value.hint
    check_networks(spec, (Network("tap", "tap0", "52:54:00:00:00:01"),))
