"""What the machine does for its containers: volumes, mounts, groups, interfaces, namespaces."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("machines"),
    pytest.mark.timeout(600),
]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MACHINE = "machinery"
APPLIANCE = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
volumes:
  - {name: pages, image: "dir:pages", readonly: true}
  - {name: scratch}
onboot:
  - name: net
    image: component:tool
    net: new
    capabilities: [CAP_NET_ADMIN]
    command: [/usr/bin/busybox, ip, address, add, 10.9.0.2/24, dev, inner]
    runtime:
      interfaces:
        - {name: inner, peer: outer}
        - {name: idle, add: dummy}
      bindNS: {net: /run/netns/own}
services:
  - name: app
    image: component:tool
    net: /run/netns/own
    readonly: false
    binds: ["pages:/pages:ro", "scratch:/scratch", "/run/made:/made"]
    resources: {pids: {limit: 20}, memory: {limit: 33554432}}
    command:
      - /usr/bin/busybox
      - sh
      - -c
      - |
        echo kept > /scratch/file
        exec /usr/bin/busybox sleep 100000
    runtime:
      mkdir: [/run/made]
      cgroups: [limits/app]
      mounts:
        - {type: tmpfs, source: tmpfs, destination: inside, options: [size=1m]}
    ready: {file: /containers/volumes/scratch/merged/file}
"""


@pytest.fixture(scope="module")
def inside(
    cli: Cli, build_own: BuildOwn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """Boot the appliance; run a shell line in its service, or with `host=True` beside it."""
    folder = tmp_path_factory.mktemp("machinery")
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("a page")
    prefix = build_own(folder, APPLIANCE)
    cli("run", prefix, "--name", MACHINE, "--wait=4m", timeout_s=300)

    def run(line: str, *, host: bool = False) -> str:
        if host:
            return cli("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c", line).stdout
        return cli("exec", MACHINE, "app", "/usr/bin/busybox", "sh", "-c", line).stdout

    yield run
    cli("kill", MACHINE, check=False)
    cli("rm-machine", "--yes", MACHINE, check=False)


def test_volumes_are_there_and_keep_to_what_was_said(inside: Callable[..., str]) -> None:
    assert inside("cat /pages/index.html /scratch/file") == "a pagekept\n"
    assert inside("touch /pages/new 2> /dev/null || echo refused") == "refused\n"
    assert inside("touch /containers/volumes/pages/merged/x || echo refused", host=True)


def test_a_namespace_of_a_step_is_the_service_s(inside: Callable[..., str]) -> None:
    cards = inside("cat /proc/net/dev")
    assert "inner:" in cards
    assert "idle:" in cards
    assert "eth0:" not in cards
    assert "10.9.0.2" in inside("cat /proc/net/fib_trie")
    outside = inside("cat /proc/net/dev", host=True)
    assert "outer:" in outside
    assert "inner:" not in outside


def test_what_was_to_be_made_is_made(inside: Callable[..., str]) -> None:
    assert "/inside tmpfs" in inside("cat /proc/mounts")
    assert inside("ls -d /sys/fs/cgroup/limits/app", host=True) == "/sys/fs/cgroup/limits/app\n"
    group = "/sys/fs/cgroup/services/app"
    assert inside(f"cat {group}/pids.max {group}/memory.max", host=True) == "20\n33554432\n"


FOREIGN = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init-of-another]
onboot: [{name: one, image: component:init-of-another, command: [x], seccomp: unconfined}]
services: [{name: two, image: component:init-of-another, command: [x], seccomp: unconfined}]
"""
OTHER_INIT = """#!/usr/bin/busybox sh
/usr/bin/busybox mount -t devtmpfs dev /dev
exec > /dev/console
echo foreign init: $(/usr/bin/busybox ls -d /containers/*/*)
/usr/bin/busybox cat /containers/services/two/runtime.json /containers/services/two/rootfs/etc/kept
/usr/bin/busybox poweroff -f
"""


def test_another_init_is_started_with_the_whole_root(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The RAM disk is what LinuxKit's init expects: all unpacked, bundles in their places."""
    folder = tmp_path_factory.mktemp("foreign")
    component = folder / "components" / "init-of-another"
    component.mkdir(parents=True)
    (component / "component.yml").write_text(
        "packages: [busybox-static]\nfiles:\n"
        "- {path: init, source: init, mode: '0755'}\n"
        "- {path: usr/bin/runc, contents: not used}\n"
        "- {path: etc/kept, contents: kept}\n"
    )
    (component / "init").write_text(OTHER_INIT)
    (folder / "foreign.yml").write_text(FOREIGN)
    cli("build", folder / "foreign.yml", "--dir", folder, timeout_s=600)
    cli("run", folder / "foreign", "--name", "foreign", "--detach", timeout_s=120)
    cli("wait", "foreign", "--until", "stopped", timeout_s=240, check=False)
    log = cli("logs", "foreign").stdout
    cli("kill", "foreign", check=False)
    cli("rm-machine", "--yes", "foreign", check=False)
    assert "foreign init: /containers/onboot/000-one /containers/services/two" in log
    assert '"bindNS"' in log
    assert "kept" in log


KERNEL_FOLDER = """
import sys
from pathlib import Path
from ingot.appliance.archive import write_tar
from ingot.appliance.images import find_component
from ingot.debian.component import build_component
from ingot.debian.session import Session
from ingot.oci.tree import Tree

tree = build_component(find_component("kernel", Path()), arch="amd64", session=Session()).tree
folder = Path(sys.argv[1])
modules = Tree()
for entry in tree:
    if entry.path.startswith("boot/vmlinuz"):
        (folder / "kernel").write_bytes(entry.content.read())
    elif entry.path.startswith("usr/lib/modules/"):
        modules.add(entry)
with (folder / "kernel.tar").open("wb") as file:
    write_tar(modules, file)
"""


def test_a_kernel_of_linuxkit_s_shape_boots_with_our_init(
    cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of an image of `kernel` and `kernel.tar` the modules that the boot needs are found."""
    folder = tmp_path_factory.mktemp("shape")
    (folder / "kernel").mkdir()
    command = [sys.executable, "-c", KERNEL_FOLDER, str(folder / "kernel")]
    subprocess.run(command, check=True, timeout=300)
    tool = folder / "components" / "tool"
    tool.mkdir(parents=True)
    (tool / "component.yml").write_text("packages: [busybox-static]\n")
    (folder / "shape.yml").write_text(
        "kernel: {image: 'dir:kernel', cmdline: console=ttyS0 quiet panic=-1}\n"
        "init: [component:init]\nonboot:\n- {name: say, image: component:tool, readonly: false,"
        " command: [/usr/bin/busybox, echo, an overlay is there]}\n"
    )
    cli("build", folder / "shape.yml", "--dir", folder, timeout_s=600)
    cli("run", folder / "shape", "--name", "shape", "--mem", "1G", "--wait=4m", timeout_s=300)
    log = cli("logs", "shape").stdout
    cli("kill", "shape", check=False)
    cli("rm-machine", "--yes", "shape", check=False)
    assert "ingot: say: an overlay is there" in log
