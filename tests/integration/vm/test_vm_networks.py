"""Machines on taps and bridges of a network namespace that the test makes; it needs root."""

import secrets
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest


def ip(*arguments: str) -> str:
    """Run ip(8), and say what failed: without root there is no namespace to test in."""
    result = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    assert result.returncode == 0, f"ip {' '.join(arguments)} (this test needs root): {result}"
    return result.stdout


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"ingot-{secrets.token_hex(4)}"
    ip("netns", "add", name)
    try:
        for words in (
            "link add br0 type bridge",
            "link set br0 mtu 1400 up",
            "tuntap add tap0 mode tap",
            "link set tap0 master br0 up",
            "link set lo up",
        ):
            ip("-n", name, *words.split())
        yield name
    finally:
        ip("netns", "del", name)


@pytest.fixture
def inside(host: Any, namespace: str) -> Iterator[Any]:
    """Let every command of the user run in the namespace; its machines end before it does."""
    plain = host.command
    host.command = lambda *words: ["ip", "netns", "exec", namespace, *plain(*words)]
    host.build("demo")
    yield host
    host.command = plain
    host.end()


def test_a_machine_on_a_tap_and_a_bridge_is_a_port_of_both(inside: Any, namespace: str) -> None:
    networks = ("--network", "tap=tap0", "--network", "bridge=br0")
    inside.ingot("run", "demo", "--detach", *networks)
    row = inside.machines()["demo"]
    assert [network["kind"] for network in row["networks"]] == ["tap", "bridge"]
    assert row["ip"] is None
    ports = ip("-n", namespace, "-o", "link", "show", "master", "br0")
    assert "tap0:" in ports
    [made] = [line for line in ports.splitlines() if ": ingot" in line]
    assert "LOWER_UP" in made
    assert "mtu 1400" in made
    assert f"fe{row['networks'][1]['mac'][2:]}" in made
    inside.ingot("stop", "demo")
    assert "ingot" not in ip("-n", namespace, "-o", "link", "show", "master", "br0")
    inside.ingot("start", "demo")
    again = inside.machines()["demo"]["networks"]
    assert again == row["networks"]


def test_a_tap_in_use_names_the_machine_that_has_it(inside: Any) -> None:
    inside.ingot("run", "demo", "--name", "a", "--detach", "--network", "tap=tap0")
    result = inside.ingot("run", "demo", "--name", "b", "--detach", "--network", "tap=tap0", code=6)
    assert "--network tap=tap0: in use by machine 'a'" in result.stderr
    inside.ingot("run", "demo", "--name", "b", "--detach", "--network", "bridge=br0")


@pytest.mark.parametrize(
    ("network", "code", "words"),
    [
        ("tap=absent", 5, "this host has no interface absent"),
        ("bridge=absent", 5, "ip link add absent type bridge"),
        ("tap=br0", 2, "br0 is no tap"),
        ("bridge=lo", 2, "lo is no bridge"),
    ],
)
def test_interfaces_are_checked_before_the_start(
    inside: Any, network: str, code: int, words: str
) -> None:
    result = inside.ingot("run", "demo", "--detach", "--network", network, code=code)
    assert words in result.stderr
    assert not inside.folder("demo").exists()


def test_a_user_who_may_not_is_told_what_root_can_do(inside: Any) -> None:
    entering = inside.command
    powerless = ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]
    inside.command = lambda *words: [*(enter := entering(*words))[:4], *powerless, *enter[4:]]
    result = inside.ingot("run", "demo", "--detach", "--network", "bridge=br0", code=4)
    assert "only root may put a machine on a bridge" in result.stderr
    assert "ip tuntap add NAME mode tap user" in result.stderr
    assert not inside.machines()["demo"]["running"]
