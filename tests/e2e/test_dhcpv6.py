"""IPv6 networks without IPv4: addresses and name servers by DHCPv6, as routers say or as told.

The network is a namespace with a tap, on which dnsmasq is router and server. It needs root.
"""

import json
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Network = Callable[..., AbstractContextManager[str]]

BOOT_TIMEOUT_S = 300
LEASED = re.compile(r"inet6 (fd77::1[0-9a-f]{2})/128 scope global")
OWN = re.compile(r"inet6 (fd77::5054:ff:[0-9a-f:]+)/64 scope global")
STATEFUL, STATELESS = "fd77::100,fd77::1ff,64,1h", "fd77::,ra-stateless,64,1h"

SERVICES = """
init: [component:init, component:agent]
services:
  - {name: dhcp, image: component:dhcp}
  - name: page
    image: component:tool
    depends: [dhcp]
    command: [/usr/bin/busybox, httpd, -f, -p, "8080", -h, /]
"""
QUIET = "console=ttyS0 quiet panic=-1"
# Three ways to say it: a NoCloud drive, the appliance file, the kernel's command line.
NOCLOUD = f"""
kernel: {{image: component:kernel, cmdline: {QUIET}}}
onboot: [{{name: metadata, image: component:metadata}}]
"""
WRITTEN = f"""
kernel: {{image: component:kernel, cmdline: {QUIET}}}
network: {{dhcp: false, dhcp6: true, ipv6: manual}}
"""
CMDLINE = (
    f"kernel: {{image: component:kernel, cmdline: {QUIET} ingot.ip=dhcp6 ingot.hostname=six}}\n"
)
NETWORK_CONFIG = """
version: 2
ethernets:
  eth0: {dhcp6: true, accept-ra: false}
"""


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, timeout=30)


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """Make a network with a DHCPv6 server, and a router if it is to have one; yields its name."""

    @contextmanager
    def make(addresses: str, *, router: bool = True) -> Iterator[str]:
        namespace = f"ingot-{secrets.token_hex(3)}-v6"
        settings = tmp_path / "dnsmasq.conf"
        settings.write_text(
            "port=0\ninterface=tap0\nbind-interfaces\nkeep-in-foreground\nuser=root\npid-file\n"
            f"dhcp-leasefile={tmp_path}/leases\ndhcp-range={addresses}\n"
            "dhcp-option=option6:dns-server,[fd77::53]\n"
            "dhcp-option=option6:domain-search,example.org\n" + "enable-ra\n" * router
        )
        ip("netns", "add", namespace)
        try:
            ip("-n", namespace, "link", "set", "lo", "up")
            ip("-n", namespace, "tuntap", "add", "tap0", "mode", "tap")
            ip("-n", namespace, "link", "set", "tap0", "up")
            ip("-n", namespace, "address", "add", "fd77::1/64", "dev", "tap0", "nodad")
            server = subprocess.Popen(
                ["ip", "netns", "exec", namespace, "dnsmasq", f"--conf-file={settings}"]
            )
            try:
                yield namespace
            finally:
                server.terminate()
                server.wait(timeout=30)
        finally:
            ip("netns", "del", namespace)

    return make


@pytest.fixture
def machine(cli: Cli) -> Iterator[Callable[..., str]]:
    """Boot an image on the network's tap; returns the machine's name, which is gone at the end."""
    names: list[str] = []

    def boot(image: Path, within: str, *arguments: str | Path) -> str:
        names.append(f"v6-{secrets.token_hex(2)}")
        command = ("run", image, "--name", names[-1], "--network", "tap=tap0", *arguments)
        cli(*command, "--wait=3m", within=within, timeout_s=BOOT_TIMEOUT_S)
        return names[-1]

    yield boot
    for name in names:
        cli("kill", name, check=False)
        cli("rm-machine", "--yes", name, check=False)


def guest(cli: Cli, name: str, script: str) -> str:
    return cli("exec", "--host", name, "/bin/busybox", "sh", "-c", script).stdout


def address_of(cli: Cli, name: str, form: re.Pattern[str]) -> str:
    shown = guest(cli, name, "ip -6 address show dev eth0")
    found = form.search(shown)
    assert found, shown + guest(cli, name, "cat /var/log/dhcp/current")
    return found[1]


def answers(namespace: str, address: str) -> bool:
    """Say whether a host of the network is answered by the machine's service."""
    command = ["curl", "--silent", "--noproxy", "*", "--max-time", "20", "--output", "/dev/null"]
    url = f"http://[{address}]:8080/"
    return (
        subprocess.run(["ip", "netns", "exec", namespace, *command, url], check=False).returncode
        == 0
    )


@pytest.fixture(
    params=[
        pytest.param(NOCLOUD, id="metadata"),
        pytest.param(WRITTEN, id="yaml", marks=pytest.mark.slow),
        pytest.param(CMDLINE, id="cmdline", marks=pytest.mark.slow),
    ],
)
def told(
    request: pytest.FixtureRequest, build_own: BuildOwn, tmp_path: Path
) -> tuple[str, Path, Path]:
    """Build an appliance that is told to ask; returns what says so, the build, and a drive."""
    source: str = request.param
    drive, folder = tmp_path / "seed.iso", tmp_path / "seed"
    folder.mkdir()
    (folder / "meta-data").write_text("instance-id: one\nlocal-hostname: six\n")
    (folder / "network-config").write_text(NETWORK_CONFIG)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-J", "-R", "-V", "cidata"]
    subprocess.run([*command, "-o", drive, folder], check=True)
    return source, build_own(tmp_path / "image", SERVICES + source), drive


def test_a_router_with_flag_m_gives_an_address_that_stays(
    cli: Cli, hello_image: Path, network: Network, machine: Callable[..., str]
) -> None:
    """Nothing in the appliance file asks for it, and no server answers for IPv4."""
    with network(STATEFUL) as namespace:
        name = machine(hello_image, namespace)
        address = address_of(cli, name, LEASED)
        assert "inet6 fd77::5054" not in guest(cli, name, "ip -6 address show dev eth0")
        assert (
            guest(cli, name, "cat /etc/resolv.conf") == "search example.org\nnameserver fd77::53\n"
        )
        assert "default via fe80:" in guest(cli, name, "ip -6 route")
        assert f"the machine goes on with {address}" in guest(
            cli, name, "cat /var/log/dhcp/current"
        )
        assert answers(namespace, address)
        cli("stop", name)
        cli("start", "--wait", name, within=namespace, timeout_s=BOOT_TIMEOUT_S)
        assert address_of(cli, name, LEASED) == address
        cli("stop", name)


def test_a_router_with_flag_o_gives_name_servers_alone(
    cli: Cli, hello_image: Path, network: Network, machine: Callable[..., str]
) -> None:
    with network(STATELESS) as namespace:
        name = machine(hello_image, namespace)
        address = address_of(cli, name, OWN)
        assert not LEASED.search(guest(cli, name, "ip -6 address show dev eth0"))
        learned = "cat /run/network/resolv.conf.eth0.dhcp6 2> /dev/null"
        for _ in range(40):
            if guest(cli, name, learned):
                break
            time.sleep(0.25)
        assert guest(cli, name, learned) == "search example.org\nnameserver fd77::53\n"
        assert (
            guest(cli, name, "cat /etc/resolv.conf") == "search example.org\nnameserver fd77::53\n"
        )
        assert answers(namespace, address)
        cli("stop", name)


def test_it_asks_without_a_router_where_it_is_told_to(
    cli: Cli, told: tuple[str, Path, Path], network: Network, machine: Callable[..., str]
) -> None:
    source, image, drive = told
    with network(STATEFUL, router=False) as namespace:
        name = machine(image, namespace, "--disk", drive)
        address = address_of(cli, name, LEASED)
        assert (
            guest(cli, name, "cat /etc/resolv.conf") == "search example.org\nnameserver fd77::53\n"
        )
        if source != CMDLINE:
            assert guest(cli, name, "cat /proc/sys/net/ipv6/conf/eth0/accept_ra") == "0\n"
        if source != WRITTEN:
            assert guest(cli, name, "hostname") == "six\n"
        # Without a router nobody says that others have addresses beside it.
        guest(cli, name, "ip -6 route add fd77::/64 dev eth0")
        assert answers(namespace, address)
        assert json.loads(cli("stop", name, "--json").stdout)["how"] == "powered-off"
