"""The components that prepare a machine, and those that run beside a service: one boot of all."""

import json
import secrets
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(1200)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 300
TOOLS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
NAME = "components"
# Of the time server of this test against the machine's clock, which is the host's.
AHEAD_S = 100_000

ALL = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent, component:ca-certificates]
network:
  hostname: parts
  search: [example.org]
  interfaces:
    - {name: eth0, mtu: 1400}
    - {name: eth1, address: [192.168.7.5/24, "fd00:7::5/64"], gateway: "fd00:7::1", ipv6: manual}
    - {name: eth2, dhcp: false, ipv6: off}
ntp: [10.0.2.2]
onboot:
  - name: sysctl
    image: component:sysctl
    command: [/usr/lib/ingot/sysctl, net.core.somaxconn=1234, "vm/swappiness = 7"]
  - name: sysfs
    image: component:sysfs
    command: [/usr/lib/ingot/sysfs, kernel/mm/transparent_hugepage/enabled=never]
  - name: modprobe
    image: component:modprobe
    command: [/usr/lib/ingot/modprobe, -a, dummy, wireguard]
  - {name: ip, image: component:ip, binds: ["/etc/ip/batch:/etc/ip/batch:ro"]}
  - {name: extend, image: component:extend, command: [/usr/lib/ingot/extend, PART]}
  - {name: mount, image: component:mount, command: [/usr/lib/ingot/mount, PART, /var/data, "0:0"]}
  - {name: swap, image: component:swap, command: [/usr/lib/ingot/swap, /var/data/.swap, 32M]}
  - name: losetup
    image: component:losetup
    command: [/usr/lib/ingot/losetup, /dev/loop5, /var/data/loop.img, 3M]
services:
  - {name: dhcp, image: component:dhcp}
  - {name: exporter, image: component:node-exporter}
  - {name: vmtools, image: component:open-vm-tools}
files:
  - path: etc/ip/batch
    contents: |
      link add dummy5 type dummy
      address add 10.5.5.5/32 dev dummy5
      link add wg0 type wireguard
"""

# Answers every question with a time that is ahead; a server of the first stratum.
NTP_SERVER = f"""
import socket, struct, time
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 123))
def stamp():
    now = time.time() + 2208988800 + {AHEAD_S}
    return struct.pack(">II", int(now), int(now % 1 * 2**32))
while True:
    asked, peer = server.recvfrom(512)
    now = stamp()
    head = struct.pack(">BBbbII4s", 0x24, 1, asked[2], -20, 0, 0, b"TEST")
    server.sendto(head + now + asked[40:48] + now + stamp(), peer)
"""


@pytest.fixture
def time_server() -> Iterator[str]:
    """Run a time server in a network namespace with two taps; yields the namespace's name."""
    namespace = f"ingot-{secrets.token_hex(3)}-time"
    for words in (
        f"netns add {namespace}",
        f"-n {namespace} link set lo up",
        f"-n {namespace} tuntap add tap1 mode tap",
        f"-n {namespace} tuntap add tap2 mode tap",
    ):
        subprocess.run(["ip", *words.split()], check=True, timeout=30)
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", NTP_SERVER]
    server = subprocess.Popen(command)
    try:
        yield namespace
    finally:
        server.terminate()
        server.wait(timeout=30)
        subprocess.run(["ip", "netns", "del", namespace], check=True, timeout=30)


def partitioned_disk(path: Path) -> Path:
    """Make a disk of 128 MiB with one partition of 32 MiB, an ext4 file system in it."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", "PART", part], check=True, env=TOOLS)
    with path.open("wb") as file:
        file.truncate(128 << 20)
    commands = ["--clear", "--new=1:2048:+32M"]
    subprocess.run(["sgdisk", *commands, path], check=True, env=TOOLS, capture_output=True)
    with path.open("r+b") as file:
        file.seek(1 << 20)
        file.write(part.read_bytes())
    return path


def guest(cli: Cli, script: str) -> str:
    return cli("exec", "--host", NAME, "/bin/busybox", "sh", "-c", script).stdout


def test_every_component_does_its_part(
    cli: Cli, build_own: BuildOwn, time_server: str, tmp_path: Path
) -> None:
    disk = partitioned_disk(tmp_path / "disk.img")
    cli(
        *("run", build_own(tmp_path, ALL), "--name", NAME, "--disk", disk, "--wait"),
        *("--network", "user", "--network", "tap=tap1", "--network", "tap=tap2"),
        within=time_server,
        timeout_s=BOOT_TIMEOUT_S,
    )
    log = cli("logs", NAME).stdout
    assert "parts is ready" in log
    assert guest(cli, "cat /proc/sys/net/core/somaxconn /proc/sys/vm/swappiness") == "1234\n7\n"
    assert "[never]" in guest(cli, "cat /sys/kernel/mm/transparent_hugepage/enabled")
    check_network(cli)
    check_disk(cli)
    assert guest(cli, "grep -c 'BEGIN CERT' /etc/ssl/certs/ca-certificates.crt").strip() > "100"
    assert "node_memory_MemTotal_bytes" in guest(cli, "wget -qO- http://127.0.0.1:9100/metrics")
    assert "no virtual machine of VMware" in guest(cli, "cat /var/log/vmtools/current")
    assert "following 10.0.2.2" in guest(cli, "cat /var/log/ntp/current")
    deadline_s = time.monotonic() + 120
    while abs(int(guest(cli, "date +%s")) - time.time() - AHEAD_S) > AHEAD_S / 2:
        assert time.monotonic() < deadline_s, guest(cli, "cat /var/log/ntp/current")
        time.sleep(0.5)
    assert json.loads(cli("stop", NAME, "--json").stdout)["how"] == "powered-off"
    assert "could not be unmounted" not in cli("logs", NAME).stdout
    cli("rm-machine", "--yes", NAME)
    subprocess.run(["sgdisk", "--verify", disk], check=True, env=TOOLS, capture_output=True)


def check_network(cli: Cli) -> None:
    def addresses(card: str) -> str:
        return guest(cli, f"ip -o address show dev {card}")

    assert "mtu 1400" in guest(cli, "ip link show eth0")
    assert "inet 10.0.2.15/24" in addresses("eth0")
    # QEMU announces this prefix: a card that takes what routers announce has an address of it.
    assert "fec0::" in addresses("eth0")
    assert "inet 192.168.7.5/24" in addresses("eth1")
    assert "inet6 fd00:7::5/64" in addresses("eth1")
    assert "fec0::" not in addresses("eth1")
    assert "inet" not in addresses("eth2")
    assert "UP" in guest(cli, "ip link show eth2")
    assert "fd00:7::1 dev eth1" in guest(cli, "ip -6 route show default")
    assert "inet 10.5.5.5/32" in addresses("dummy5")
    assert "wg0" in guest(cli, "ip link")
    servers = guest(cli, "cat /etc/resolv.conf")
    assert "search example.org" in servers
    assert "nameserver 10.0.2.3" in servers
    assert guest(cli, "hostname") == "parts\n"


def check_disk(cli: Cli) -> None:
    assert int(guest(cli, "cat /sys/class/block/vda1/size")) > 120 << 11
    blocks, size = map(int, guest(cli, "stat -f -c '%b %S' /var/data").split())
    assert blocks * size > 100 << 20
    assert "/.swap " in guest(cli, "cat /proc/swaps")
    assert guest(cli, "stat -c %a /var/data/.swap") == "600\n"
    assert guest(cli, "cat /sys/class/block/loop5/loop/backing_file") == "/loop.img\n"
    assert guest(cli, "cat /sys/class/block/loop5/size") == f"{3 << 11}\n"


OTHER = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
onboot: [{name: binfmt, image: component:binfmt}]
files: [{path: usr/bin/other, source: %s, mode: "0755"}]
"""


def arm_program() -> bytes:
    """Return a program for arm64 that prints `arm`: write(1, …, 4), exit(0)."""
    instructions = (0xD2800020, 0x100000E1, 0xD2800082, 0xD2800808, 0xD4000001)
    instructions += (0xD2800000, 0xD2800BA8, 0xD4000001)
    code = struct.pack("<8I", *instructions) + b"arm\n"
    base, head = 0x400000, 64 + 56
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    fields = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, base + head, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = head + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return ident + fields + segment + code


@pytest.mark.slow  # It downloads QEMU for programs of every architecture: 60 MB.
def test_programs_of_the_other_architecture_run(
    cli: Cli, build_own: BuildOwn, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_bytes(arm_program())
    image = build_own(tmp_path / "image", OTHER % program)
    cli("run", image, "--name", NAME, "--wait", timeout_s=BOOT_TIMEOUT_S)
    assert cli("exec", "--host", NAME, "/usr/bin/other").stdout == "arm\n"
    assert json.loads(cli("stop", NAME, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", NAME)
