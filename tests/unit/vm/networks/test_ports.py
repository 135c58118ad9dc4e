import socket
import threading

import pytest

from ingot.base.errors import ConflictError, UsageError
from ingot.vm.machine import PublishedPort
from ingot.vm.networks.ports import (
    check_ports_free,
    listening,
    overlap,
    parse_guest_port,
    parse_publish,
    parse_publishes,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9000:9000", PublishedPort("127.0.0.1", 9000, 9000, "tcp")),
        ("80:8080/tcp", PublishedPort("127.0.0.1", 80, 8080, "tcp")),
        ("5353:53/udp", PublishedPort("127.0.0.1", 5353, 53, "udp")),
        ("0.0.0.0:1:65535", PublishedPort("0.0.0.0", 1, 65535, "tcp")),
        ("localhost:80:80", PublishedPort("127.0.0.1", 80, 80, "tcp")),
        ("[::1]:80:80", PublishedPort("::1", 80, 80, "tcp")),
        ("[0:0::1]:5353:53/udp", PublishedPort("::1", 5353, 53, "udp")),
        ("[::]:80:80", PublishedPort("::", 80, 80, "tcp")),
    ],
)
def test_publish_is_loopback_and_tcp_unless_it_says_otherwise(
    text: str, expected: PublishedPort
) -> None:
    assert parse_publish(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9000", "HOST:GUEST is missing"),
        ("", "HOST:GUEST is missing"),
        ("0:80", "'0' is not a port"),
        ("80:65536", "'65536' is not a port"),
        ("80:http", "'http' is not a port"),
        ("80:-1", "'-1' is not a port"),
        ("80:", "'' is not a port"),
        ("80:80/sctp", "'sctp' is no protocol"),
        ("80:80/", "'' is no protocol"),
        ("example:80:80", "'example' is not an IP address"),
        ("1.2.3.4.5:80:80", "not an IP address"),
        ("1:2:3:4", "IPv6 address stands in brackets"),
        ("::1:80:80", "IPv6 address stands in brackets"),
        (",hostfwd=tcp::1-:2:80:80", "in brackets"),
        ("[127.0.0.1]:80:80", "not an IP address"),
        ("[::1:80:80", "in brackets"),
        ("[fe80::1]:80:80", "cannot be published on"),
        ("[fe80::1%eth0]:80:80", "cannot be published on"),
        ("[::ffff:127.0.0.1]:80:80", "cannot be published on"),
        (":80:80", "'' is not an IP address"),
        ("80:80,id=x", "is not a port"),
    ],
)
def test_publish_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_publish(text)
    assert caught.value.hint


def test_one_host_port_cannot_be_published_twice() -> None:
    with pytest.raises(UsageError, match="80/tcp is published twice"):
        parse_publishes(["80:80", "0.0.0.0:80:81"])


def test_one_number_can_be_published_on_two_addresses_and_protocols() -> None:
    texts = ["127.0.0.1:80:80", "127.0.0.2:80:81", "127.0.0.1:80:80/udp"]
    assert len(parse_publishes(texts)) == 3


def test_a_udp_port_of_the_guest_answers_at_one_ipv4_address() -> None:
    with pytest.raises(UsageError, match=r"127\.0\.0\.2:54:53/udp: a UDP port") as caught:
        parse_publishes(["53:53/udp", "127.0.0.2:54:53/udp"])
    assert caught.value.hint == "publish it on all: --publish 0.0.0.0:54:53/udp"
    assert len(parse_publishes(["53:53/udp", "[::1]:53:53/udp", "[::1]:54:53/udp"])) == 3
    assert len(parse_publishes(["53:53", "54:53", "53:53/udp"])) == 3


def test_every_address_overlaps_each_single_one() -> None:
    every = PublishedPort("0.0.0.0", 80, 1)
    one = PublishedPort("127.0.0.1", 80, 2)
    assert overlap(every, one)
    assert overlap(one, every)
    assert overlap(PublishedPort("::", 80, 1), PublishedPort("::1", 80, 2))
    assert not overlap(PublishedPort("::1", 80, 1), PublishedPort("::2", 80, 2))
    assert not overlap(every, PublishedPort("::", 80, 2)), "each is all of its own kind"
    assert not overlap(one, PublishedPort("127.0.0.1", 81, 2))


@pytest.mark.parametrize(
    ("protocol", "kind"), [("tcp", socket.SOCK_STREAM), ("udp", socket.SOCK_DGRAM)]
)
def test_a_port_in_use_is_found_before_the_start(protocol: str, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if protocol == "tcp":
            taken.listen()
        number = taken.getsockname()[1]
        port = parse_publish(f"{number}:9000/{protocol}")
        with pytest.raises(ConflictError, match=f"127.0.0.1:{number}/{protocol} is already in use"):
            check_ports_free([port])
    check_ports_free([port])


def test_an_address_of_another_host_cannot_be_published_on() -> None:
    with pytest.raises(UsageError, match=r"192\.0\.2\.1:9000"):
        check_ports_free([parse_publish("192.0.2.1:9000:9000")])


def test_a_guest_port_is_tcp_unless_it_says_otherwise() -> None:
    assert parse_guest_port("9000") == (9000, "tcp")
    assert parse_guest_port("53/udp") == (53, "udp")


@pytest.mark.parametrize("text", ["", "0", "65536", "http", "53/", "53/sctp", "-1"])
def test_what_is_no_guest_port_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no port"):
        parse_guest_port(text)


def test_ports_are_written_as_in_a_url() -> None:
    assert str(parse_publish("8080:80")) == "127.0.0.1:8080->80/tcp"
    assert str(parse_publish("[::1]:5353:53/udp")) == "[::1]:5353->53/udp"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_all_of_ipv4_leaves_ipv6_free(protocol: str) -> None:
    with listening(PublishedPort("::1", 0, 1, protocol)) as held:  # type: ignore[arg-type] # parametrised
        number = held.getsockname()[1]
        with pytest.raises(ConflictError, match=rf"\[::\]:{number}/{protocol} is already in use"):
            check_ports_free([parse_publish(f"[::]:{number}:1/{protocol}")])
        check_ports_free([parse_publish(f"0.0.0.0:{number}:1/{protocol}")])


def test_a_port_of_a_machine_that_just_ended_is_waited_for() -> None:
    held = socket.socket(socket.AF_INET6)
    held.bind(("::1", 0))
    held.listen()
    release = threading.Timer(0.2, held.close)
    release.start()
    check_ports_free([parse_publish(f"[::1]:{held.getsockname()[1]}:1")])
    release.join()
