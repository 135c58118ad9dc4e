"""A tree of ours boots under an init that keeps to LinuxKit's contract and knows nothing of us."""

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
NAME = "after-linuxkit"
BOOT_TIMEOUT_S = 240
TOOLS = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
POWER_PORT = 7777

APPLIANCE = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:other-init]
data: {label: INGOT-DATA, path: /var/data}
onboot:
  - name: sysctl
    image: component:sysctl
    command: [/usr/lib/ingot/sysctl, net.core.somaxconn=1234]
  - name: told
    image: component:tool
    binds: ["/var/data:/data"]
    command: [/usr/bin/busybox, sh, -c,
      "cat /proc/sys/net/core/somaxconn > /data/somaxconn; echo disk is mounted"]
  - name: net
    image: component:tool
    net: new
    capabilities: [CAP_NET_ADMIN]
    command: [/usr/bin/busybox, ip, address, add, 10.9.0.2/24, dev, inner]
    runtime:
      interfaces: [{name: inner, add: veth, peer: outer}]
      bindNS: {net: /run/netns/own}
services:
  - name: app
    image: component:tool
    net: /run/netns/own
    readonly: false
    binds: ["/run/made:/made"]
    command: [/usr/bin/busybox, sh, -c, "cat /proc/net/dev > /cards; cp /cards /made/cards;
      cp /proc/mounts /made/mounts; sleep 100000"]
    runtime:
      mkdir: [/run/made]
      cgroups: [limits/app]
      mounts: [{type: tmpfs, source: tmpfs, destination: inside, options: [size=1m]}]
  - {name: dhcp, image: component:dhcp}
  - {name: hello, image: component:hello}
onshutdown:
  - name: bye
    image: component:tool
    binds: ["/run/made:/made", "/var/data:/data"]
    command: [/usr/bin/busybox, sh, -c, "cp /made/* /data/; echo good bye"]
"""


@pytest.fixture
def ports(cli: Cli, free_port: Callable[[], int], tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Build and run the appliance; yields the ports of its page and of its power key."""
    components = tmp_path / "components"
    shutil.copytree(ROOT / "examples/components/hello", components / "hello")
    shutil.copytree(Path(__file__).parent / "linuxkit_init", components / "other-init")
    (components / "tool").mkdir()
    (components / "tool/component.yml").write_text("packages: [busybox-static]\n")
    (tmp_path / "own.yml").write_text(APPLIANCE)
    cli("build", tmp_path / "own.yml", "--dir", tmp_path, timeout_s=600)
    page, power = free_port(), free_port()
    cli(
        *("run", tmp_path / "own", "--name", NAME, "--mem", "512M", "--detach"),
        *("--disk", f"{tmp_path}/disk.img,size=64M"),
        *("--publish", f"{page}:8080", "--publish", f"{power}:{POWER_PORT}"),
    )
    yield page, power
    cli("kill", NAME, check=False)
    cli("rm-machine", "--yes", NAME)


def fetched(cli: Cli, port: int) -> str:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                return str(answer.read(), "utf-8")
        except (OSError, urllib.error.URLError):
            time.sleep(0.2)
    raise AssertionError(cli("logs", NAME).stdout)


def on_disk(disk: Path, name: str) -> str:
    command = ["debugfs", "-R", f"cat {name}", disk]
    return subprocess.run(
        command, env=TOOLS, capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_every_container_runs_and_the_service_answers(
    cli: Cli, ports: tuple[int, int], tmp_path: Path
) -> None:
    page, power = ports
    assert "hello" in fetched(cli, page)
    while "init: all started" not in cli("logs", NAME).stdout:
        time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", power), timeout=30) as key:
        key.sendall(b"off\n")
    cli("wait", NAME, "--until", "stopped", timeout_s=120)
    log = cli("logs", NAME).stdout
    for line in ("init: 003-told: disk is mounted", "init: 000-bye: good bye"):
        assert line in log, log
    assert "failed" not in log, log
    disk = tmp_path / "disk.img"
    assert on_disk(disk, "somaxconn") == "1234\n"
    assert "inner:" in on_disk(disk, "cards")
    assert " /inside tmpfs " in on_disk(disk, "mounts")
