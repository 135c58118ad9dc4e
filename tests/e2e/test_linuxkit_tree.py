"""Containers that come as a tree in LinuxKit's layout, with nothing of ours around them, boot."""

import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

NAME = "linuxkit-tree"
BOOT_TIMEOUT_S = 300

SOURCE = """
onboot:
  - name: net
    image: component:tool
    net: new
    capabilities: [CAP_NET_ADMIN]
    command: [/usr/bin/busybox, ip, address, add, 10.9.0.2/24, dev, inner]
    runtime:
      interfaces: [{name: inner, add: veth, peer: outer}]
      bindNS: {net: /run/netns/own}
  - {name: said, image: component:tool, command: [/usr/bin/busybox, echo, a step of the tree]}
services:
  - name: app
    image: component:tool
    net: /run/netns/own
    readonly: false
    binds: ["/run/made:/made"]
    command: [/usr/bin/busybox, sh, -c, echo kept > /written; cat /made/file; sleep 100000]
    runtime:
      mkdir: [/run/made]
      cgroups: [limits/app]
      mounts: [{type: tmpfs, source: tmpfs, destination: inside, options: [size=1m]}]
onshutdown:
  - {name: bye, image: component:tool, command: [/usr/bin/busybox, echo, good bye]}
"""
BOOTED = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent, "dir:tree"]
onboot:
  - name: file
    image: component:tool
    runtime: {mkdir: [/run/made]}
    binds: ["/run/made:/made"]
    command: [/usr/bin/busybox, sh, -c, echo from a step of ours > /made/file]
"""


def make_tree(cli: Cli, folder: Path) -> None:
    """Build the containers and keep of the root file system what LinuxKit knows of them."""
    component = folder / "components/tool/component.yml"
    component.parent.mkdir(parents=True)
    component.write_text("packages: [busybox-static]\n")
    (folder / "source.yml").write_text(f"init: [component:init]\n{SOURCE}")
    cli("build", folder / "source.yml", "--dir", folder, "--format", "tar", timeout_s=600)
    with tarfile.open(folder / "source.tar") as archive:
        wanted = [
            m for m in archive.getmembers() if m.name.removeprefix("./").startswith("contain")
        ]
        archive.extractall(folder / "tree", wanted, filter="fully_trusted")
    assert sorted(path.name for path in (folder / "tree").iterdir()) == ["containers"]


def test_a_tree_of_linuxkit_boots(cli: Cli, tmp_path: Path) -> None:
    make_tree(cli, tmp_path)
    (tmp_path / "own.yml").write_text(BOOTED)
    cli("build", tmp_path / "own.yml", "--dir", tmp_path, timeout_s=600)
    cli("run", tmp_path / "own", "--name", NAME, "--wait=2m", timeout_s=BOOT_TIMEOUT_S)

    def host(line: str) -> str:
        return cli("exec", "--host", NAME, "/bin/busybox", "sh", "-c", line).stdout

    def inside(line: str) -> str:
        return cli("exec", NAME, "app", "/usr/bin/busybox", "sh", "-c", line).stdout

    log = cli("logs", NAME).stdout
    assert "said: a step of the tree" in log
    cards = inside("cat /proc/net/dev")
    assert "inner:" in cards
    assert "eth0:" not in cards
    assert "outer:" in host("cat /proc/net/dev")
    assert inside("cat /written") == "kept\n"
    assert "/inside tmpfs" in inside("cat /proc/mounts")
    assert host("ls -d /sys/fs/cgroup/limits/app") == "/sys/fs/cgroup/limits/app\n"
    assert "from a step of ours" in host("cat /var/log/app/current")
    assert json.loads(cli("stop", NAME, "--json").stdout)["how"] == "powered-off"
    assert "good bye" in cli("logs", NAME).stdout
    cli("rm-machine", "--yes", NAME)
