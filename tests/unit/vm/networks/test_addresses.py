import pytest

from ingot.base.errors import UsageError
from ingot.vm.machine import StaticAddress
from ingot.vm.networks.addresses import parse_address, parse_addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.168.65.101", StaticAddress("192.168.65.101", 24, "192.168.65.0/24")),
        (
            "10.1.2.2/16,gateway=10.1.0.1,dns=9.9.9.9",
            StaticAddress("10.1.2.2", 16, "10.1.0.0/16", "10.1.0.1", "9.9.9.9"),
        ),
        ("10.0.0.2,dns=1.1.1.1", StaticAddress("10.0.0.2", 24, "10.0.0.0/24", None, "1.1.1.1")),
        ("FD00:0:0::5", StaticAddress("fd00::5", 64, "fd00::/64")),
        (
            "2001:db8::5/48,gateway=fe80::1,dns=2001:db8::53",
            StaticAddress("2001:db8::5", 48, "2001:db8::/48", "fe80::1", "2001:db8::53"),
        ),
    ],
)
def test_an_address_has_the_gateway_and_name_server_that_are_given(
    text: str, expected: StaticAddress
) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example", "'example' is no IP address"),
        ("", "'' is no IP address"),
        ("10.0.0.1/x", "'x' is no prefix length"),
        ("10.0.0.1/", "'' is no prefix length"),
        ("10.0.0.1/30", "prefix length must be 8 to 29"),
        ("10.0.0.1/7", "prefix length"),
        ("10.0.0.0", "no host address"),
        ("10.0.0.255", "no host address"),
        ("127.0.0.5", "cannot have the address"),
        ("224.0.0.5", "cannot have the address"),
        ("10.0.0.5,gateway=10.0.1.1", "gateway 10.0.1.1 is not in"),
        ("10.0.0.5,gateway=x", "'x' is no IP address"),
        ("10.0.0.5,gateway=169.254.0.1", "is not in"),
        ("10.0.0.5,gateway=fe80::1", "of another kind than 10.0.0.5"),
        ("fd00::5,dns=9.9.9.9", "of another kind than fd00::5"),
        ("10.0.0.5,via=10.0.0.1", "cannot read 'via="),
        ("10.0.0.5,dns=1.1.1.1,dns=1.0.0.1", "cannot read 'dns="),
        ("fd00::", "no host address of fd00::/64"),
        ("fd00::5/126", "prefix length must be 8 to 125"),
        ("::1", "cannot have the address"),
        ("ff02::1", "cannot have the address"),
        ("fe80::5", "cannot have the address"),
        ("::ffff:10.0.0.5", "cannot have the address"),
        ("fd00::5%eth0", "names a card of this host"),
        ("fd00::5,gateway=fd01::1", "gateway fd01::1 is not in"),
    ],
)
def test_ip_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_address(text)


def test_a_machine_has_one_address_of_each_kind() -> None:
    both = parse_addresses(["fd00::5", "10.0.0.5"])
    assert [address.is_ipv6 for address in both] == [True, False]
    with pytest.raises(UsageError, match=r"fd00::6/64: a machine has one fixed IPv6 address"):
        parse_addresses(["fd00::5", "10.0.0.5", "fd00::6"])
