"""Two appliances with fixed addresses on a bridge: reached from another host, and by each other.

The hosts are network namespaces that the test makes: one has the bridge and the machines, the
other hangs on the bridge by a pair of veth interfaces. It needs root.
"""

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 300
FIRST, SECOND = "network-one", "network-two"
FIRST_ADDRESS, SECOND_ADDRESS, PEER_ADDRESS = "10.77.0.2", "10.77.0.3", "10.77.0.1"


class Hosts(NamedTuple):
    """Names of network namespaces."""

    machines: str
    peer: str


def ip(*arguments: str) -> None:
    result = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    shown = " ".join(arguments)
    assert result.returncode == 0, f"ip {shown} (this test needs root): {result.stderr}"


@pytest.fixture
def hosts(cli: Cli) -> Iterator[Hosts]:
    tag = secrets.token_hex(3)
    made = Hosts(f"ingot-{tag}-machines", f"ingot-{tag}-peer")
    ip("netns", "add", made.machines)
    ip("netns", "add", made.peer)
    try:
        for words in (
            f"-n {made.machines} link add br0 type bridge",
            f"-n {made.machines} link set br0 up",
            f"-n {made.machines} tuntap add tap0 mode tap",
            f"-n {made.machines} link set tap0 master br0 up",
            f"-n {made.machines} link add veth0 type veth peer name veth1 netns {made.peer}",
            f"-n {made.machines} link set veth0 master br0 up",
            f"-n {made.peer} address add {PEER_ADDRESS}/24 dev veth1",
            f"-n {made.peer} link set veth1 up",
        ):
            ip(*words.split())
        yield made
    finally:
        for name in (FIRST, SECOND):
            cli("kill", name, check=False)
            cli("rm-machine", "--yes", name, check=False)
        ip("netns", "del", made.peer)
        ip("netns", "del", made.machines)


def test_fixed_addresses_on_a_bridge(cli: Cli, hello_image: Path, hosts: Hosts) -> None:
    def run(name: str, network: str, address: str) -> None:
        cli(
            *("run", hello_image, "--name", name, "--network", network, "--ip", f"{address}/24"),
            "--detach",
            within=hosts.machines,
        )

    run(FIRST, "tap=tap0", FIRST_ADDRESS)
    run(SECOND, "bridge=br0", SECOND_ADDRESS)
    cli("wait", "--timeout", "5m", FIRST, SECOND, timeout_s=BOOT_TIMEOUT_S)
    rows = {row["name"]: row for row in map(json.loads, cli("ps", "--json").stdout.splitlines())}
    assert rows[FIRST]["ip"] == FIRST_ADDRESS
    assert rows[FIRST]["networks"][0]["mac"] != rows[SECOND]["networks"][0]["mac"]

    for address in (FIRST_ADDRESS, SECOND_ADDRESS):
        assert "hello" in _fetched_from(hosts.peer, address)
    for name, other in ((FIRST, SECOND_ADDRESS), (SECOND, FIRST_ADDRESS)):
        url = f"http://{other}:8080/"
        assert "hello" in cli("exec", "--host", name, "/bin/busybox", "wget", "-qO-", url).stdout

    mac = rows[FIRST]["networks"][0]["mac"]
    cli("stop", FIRST, SECOND)
    cli("start", "--wait", FIRST, within=hosts.machines, timeout_s=BOOT_TIMEOUT_S)
    assert "hello" in _fetched_from(hosts.peer, FIRST_ADDRESS)
    shown = cli("exec", "--host", FIRST, "/bin/busybox", "cat", "/sys/class/net/eth0/address")
    assert shown.stdout.strip() == mac
    cli("stop", FIRST)


def test_three_cards_in_their_order(cli: Cli, hello_image: Path, hosts: Hosts) -> None:
    cli(
        *("run", hello_image, "--name", FIRST, "--network", "user", "--network", "tap=tap0"),
        *("--network", "bridge=br0,mac=52:54:00:00:00:77", "--wait"),
        within=hosts.machines,
        timeout_s=BOOT_TIMEOUT_S,
    )
    row = json.loads(cli("ps", "--json").stdout)
    for index, network in enumerate(row["networks"]):
        path = f"/sys/class/net/eth{index}/address"
        assert (
            cli("exec", "--host", FIRST, "/bin/busybox", "cat", path).stdout.strip()
            == (network["mac"])
        )
    script = f"ip link set eth2 up && ip address add {FIRST_ADDRESS}/24 dev eth2"
    cli("exec", "--host", FIRST, "/bin/busybox", "sh", "-c", script)
    assert "hello" in _fetched_from(hosts.peer, FIRST_ADDRESS)
    cli("stop", FIRST)


def _fetched_from(namespace: str, address: str) -> str:
    """Return what a host in another namespace is answered."""
    result = subprocess.run(
        [
            *("ip", "netns", "exec", namespace, "curl", "--silent", "--show-error", "--fail"),
            *("--noproxy", "*", "--max-time", "30", f"http://{address}:8080/"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
