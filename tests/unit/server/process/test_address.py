import pytest

from ingot.base.errors import UsageError
from ingot.server.process.address import Address, bracketed, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":9000", Address("0.0.0.0", 9000)),
        ("127.0.0.1:9000", Address("127.0.0.1", 9000)),
        ("[::1]:0", Address("::1", 0)),
        (" store.example:80 ", Address("store.example", 80)),
    ],
)
def test_parse_address_reads_host_and_port(text: str, expected: Address) -> None:
    assert expected == parse_address(text)


@pytest.mark.parametrize("text", ["", "9000", "host", "host:", "host:x", "::1:9000", ":65536"])
def test_parse_address_refuses_what_is_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_addresses_print_as_they_are_written() -> None:
    assert str(Address("127.0.0.1", 9000)) == "127.0.0.1:9000"
    assert str(Address("::1", 9000)) == "[::1]:9000"
    assert bracketed("host") == "host"


@pytest.mark.parametrize(("host", "expected"), [("0.0.0.0", True), ("::", True), ("::1", False)])
def test_is_wildcard_means_every_interface(host: str, expected: bool) -> None:
    assert Address(host, 1).is_wildcard is expected
