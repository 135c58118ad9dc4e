import pytest

from ingot.base.errors import UsageError
from ingot.vm.machine import StaticAddress
from ingot.vm.networks.addresses import parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.168.65.101", StaticAddress("192.168.65.101", 24, "192.168.65.0/24")),
        (
            "10.1.2.2/16,gateway=10.1.0.1,dns=9.9.9.9",
            StaticAddress("10.1.2.2", 16, "10.1.0.0/16", "10.1.0.1", "9.9.9.9"),
        ),
        ("10.0.0.2,dns=1.1.1.1", StaticAddress("10.0.0.2", 24, "10.0.0.0/24", None, "1.1.1.1")),
    ],
)
def test_an_address_has_the_gateway_and_name_server_that_are_given(
    text: str, expected: StaticAddress
) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example", "not an IPv4 address"),
        ("::1", "not an IPv4 address"),
        ("10.0.0.1/x", "not an IPv4 address"),
        ("10.0.0.1/30", "prefix length must be 8 to 29"),
        ("10.0.0.1/7", "prefix length"),
        ("10.0.0.0", "no host address"),
        ("10.0.0.255", "no host address"),
        ("127.0.0.5", "cannot have the address"),
        ("224.0.0.5", "cannot have the address"),
        ("10.0.0.5,gateway=10.0.1.1", "gateway 10.0.1.1 is not in"),
        ("10.0.0.5,gateway=x", "not an IPv4 address"),
        ("10.0.0.5,via=10.0.0.1", "cannot read 'via="),
        ("10.0.0.5,dns=1.1.1.1,dns=1.0.0.1", "cannot read 'dns="),
    ],
)
def test_ip_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_address(text)
