"""Two appliances with fixed addresses on a bridge: reached from another host, and by each other.

Both over IPv4 and IPv6, by TCP and UDP. The hosts are network namespaces that the test makes: one
has the bridge and the machines, the other hangs on the bridge by a pair of veth interfaces. It
needs root. A third machine is on the user network, with ports on 127.0.0.1 and ::1.
"""

import contextlib
import http.server
import json
import secrets
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 300
FIRST, SECOND = "network-one", "network-two"
FIRST_ADDRESS, SECOND_ADDRESS, PEER_ADDRESS = "10.77.0.2", "10.77.0.3", "10.77.0.1"
FIRST_ADDRESS6, SECOND_ADDRESS6, PEER_ADDRESS6 = "fd77::2", "fd77::3", "fd77::1"
ADDRESSES = (FIRST_ADDRESS, SECOND_ADDRESS, FIRST_ADDRESS6, SECOND_ADDRESS6)
UDP_PORT = 5353

# A page by TCP, and an echo by UDP; each on IPv4 and IPv6.
ECHO = f"""
kernel: {{image: "component:kernel", cmdline: "console=ttyS0 quiet panic=-1"}}
init: ["component:init", "component:agent"]
services:
  - name: dhcp
    image: component:dhcp
  - name: hello
    image: component:hello
    depends: [dhcp]
  - name: echo
    image: component:echo
    command: [/usr/bin/socat, "UDP6-RECVFROM:{UDP_PORT},fork,ipv6only=0", PIPE]
    depends: [dhcp]
"""

# Asks by UDP until it is answered, for a datagram may be lost.
ASK = """
import socket, sys
address, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
family = socket.AF_INET6 if ":" in address else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as asking:
    asking.settimeout(2)
    asking.connect((address, port))
    for _ in range(15):
        try:
            asking.send(text)
            print(asking.recv(2048).decode())
            break
        except OSError:
            continue
"""


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
            f"-n {made.peer} address add {PEER_ADDRESS6}/64 dev veth1 nodad",
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


@pytest.fixture(scope="module")
def echo_image(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build-echo")
    hello = Path(__file__).parents[2] / "examples" / "components" / "hello"
    (folder / "components" / "echo").mkdir(parents=True)
    (folder / "components" / "hello").symlink_to(hello)
    (folder / "components" / "echo" / "component.yml").write_text("packages: [socat]\n")
    (folder / "echo.yml").write_text(ECHO)
    cli("build", folder / "echo.yml", "--dir", folder, timeout_s=600)
    return folder / "echo"


def test_fixed_addresses_on_a_bridge(cli: Cli, echo_image: Path, hosts: Hosts) -> None:
    def run(name: str, network: str, address: str, address6: str) -> None:
        cli(
            *("run", echo_image, "--name", name, "--network", network, "--detach"),
            *("--ip", f"{address}/24", "--ip", f"{address6}/64"),
            within=hosts.machines,
        )

    run(FIRST, "tap=tap0", FIRST_ADDRESS, FIRST_ADDRESS6)
    run(SECOND, "bridge=br0", SECOND_ADDRESS, SECOND_ADDRESS6)
    cli("wait", "--timeout", "5m", FIRST, SECOND, timeout_s=BOOT_TIMEOUT_S)
    rows = {row["name"]: row for row in map(json.loads, cli("ps", "--json").stdout.splitlines())}
    assert (rows[FIRST]["ip"], rows[FIRST]["ip6"]) == (FIRST_ADDRESS, FIRST_ADDRESS6)
    assert rows[FIRST]["networks"][0]["mac"] != rows[SECOND]["networks"][0]["mac"]

    for address in ADDRESSES:
        assert "hello" in _fetched_from(hosts.peer, address)
        assert _echoed_from(hosts.peer, address, UDP_PORT) == f"to {address}"
    others = {FIRST: (SECOND_ADDRESS, SECOND_ADDRESS6), SECOND: (FIRST_ADDRESS, FIRST_ADDRESS6)}
    for name, addresses in others.items():
        for address in addresses:
            url = f"http://{_in_url(address)}:8080/"
            fetch = ("exec", "--host", name, "/bin/busybox", "wget", "-qO-", url)
            assert "hello" in cli(*fetch).stdout

    mac = rows[FIRST]["networks"][0]["mac"]
    cli("stop", FIRST, SECOND)
    cli("start", "--wait", FIRST, within=hosts.machines, timeout_s=BOOT_TIMEOUT_S)
    for address in (FIRST_ADDRESS, FIRST_ADDRESS6):
        assert "hello" in _fetched_from(hosts.peer, address)
    shown = cli("exec", "--host", FIRST, "/bin/busybox", "cat", "/sys/class/net/eth0/address")
    assert shown.stdout.strip() == mac
    cli("stop", FIRST)


def test_an_ipv6_address_alone(cli: Cli, echo_image: Path, hosts: Hosts) -> None:
    """What is told a fixed IPv6 address on a tap has no other."""
    flags = ("--network", "tap=tap0", "--ip", f"{FIRST_ADDRESS6}/64,gateway={PEER_ADDRESS6}")
    cli(
        *("run", echo_image, "--name", FIRST, *flags, "--wait"),
        within=hosts.machines,
        timeout_s=BOOT_TIMEOUT_S,
    )
    row = json.loads(cli("ps", "--json").stdout)
    assert (row["ip"], row["ip6"]) == (None, FIRST_ADDRESS6)
    assert "hello" in _fetched_from(hosts.peer, FIRST_ADDRESS6)
    shell = ("exec", "--host", FIRST, "/bin/busybox", "sh", "-c")
    assert "inet " not in cli(*shell, "ip addr show dev eth0").stdout
    assert f"default via {PEER_ADDRESS6}" in cli(*shell, "ip -6 route").stdout
    cli("stop", FIRST)


def test_ports_on_the_loopback_of_both_kinds(
    cli: Cli, echo_image: Path, hosts: Hosts, free_port: Callable[[], int]
) -> None:
    """By TCP and UDP into a guest on the user network, and out of it to the host by IPv6."""
    tcp, udp = free_port(), free_port()
    publishes = [f"{tcp}:8080", f"[::1]:{tcp}:8080", f"{udp}:{UDP_PORT}/udp"]
    publishes.append(f"[::1]:{udp}:{UDP_PORT}/udp")
    cli(
        *("run", echo_image, "--name", FIRST, "--ip", FIRST_ADDRESS6, "--wait"),
        *(word for publish in publishes for word in ("--publish", publish)),
        timeout_s=BOOT_TIMEOUT_S,
    )
    for _ in range(2):
        for address in ("127.0.0.1", "::1"):
            url = f"http://{_in_url(address)}:{tcp}/"
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert b"hello" in answer.read()
            assert _echoed_from(None, address, udp) == f"to {address}"
    assert cli("port", FIRST, f"{UDP_PORT}/udp").stdout.splitlines() == [
        f"127.0.0.1:{udp}",
        f"[::1]:{udp}",
    ]
    row = json.loads(cli("ps", "--json").stdout)
    assert (row["ip"], row["ip6"]) == ("10.0.2.15", FIRST_ADDRESS6)
    shell = ("exec", "--host", FIRST, "/bin/busybox", "sh", "-c")
    assert f"{FIRST_ADDRESS6}/64" in cli(*shell, "ip -6 addr show dev eth0").stdout
    with _page_on_the_loopback() as port:
        # The gateway of the user network is this host's loopback.
        url = f"http://[{FIRST_ADDRESS6[:-1]}3]:{port}/"
        assert "a page of the host" in cli(*shell, f"wget -qO- {url}").stdout
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


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a page of the host")


class _Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def _page_on_the_loopback() -> Iterator[int]:
    with _Server(("::1", 0), _Page) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_address[1]
        server.shutdown()


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _echoed_from(namespace: str | None, address: str, port: int) -> str:
    """Return what comes back by UDP to a host in another namespace, or to this one."""
    entering = [] if namespace is None else ["ip", "netns", "exec", namespace]
    result = subprocess.run(
        [*entering, sys.executable, "-c", ASK, address, str(port), f"to {address}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def _fetched_from(namespace: str, address: str) -> str:
    """Return what a host in another namespace is answered."""
    result = subprocess.run(
        [
            *("ip", "netns", "exec", namespace, "curl", "--silent", "--show-error", "--fail"),
            *("--noproxy", "*", "--max-time", "30", f"http://{_in_url(address)}:8080/"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
