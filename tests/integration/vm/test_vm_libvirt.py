"""Machines on a libvirt that the test starts: a session daemon of a user who is not root."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(180)

Eventually = Callable[[Callable[[], object], str], None]
GOLDEN = Path(__file__).parents[2] / "golden" / "runners"
# Root's libvirt would be the host's own; in a user namespace of its own root is somebody else.
SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


@pytest.fixture
def libvirt(host: Any, eventually: Eventually) -> Iterator[Any]:
    """The user of `host`, with a libvirt of their own."""
    home = host.home / "home"
    host.entering = SOMEBODY if os.geteuid() == 0 else []
    host.environment |= {
        "HOME": str(home),
        "LIBVIRT_DEFAULT_URI": "qemu:///session",
        "XDG_RUNTIME_DIR": str(host.home / "run"),
        **{f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "CACHE", "DATA", "STATE")},
    }
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        Path(host.environment[name]).mkdir(parents=True, mode=0o700)
    program = shutil.which("libvirtd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "this test needs Debian's libvirt-daemon"
    sockets = host.home / "run" / "libvirt"
    with (host.home / "libvirtd.log").open("wb") as log:
        daemon = subprocess.Popen(
            [*host.entering, program], env=host.environment, stdout=log, stderr=log
        )
    try:
        eventually((sockets / "libvirt-sock").exists, "libvirtd listens")
        yield host
        host.end()
    finally:
        daemon.terminate()
        daemon.wait(30)
        # The daemon that keeps the consoles' logs was started by the other.
        keeper = sockets / "virtlogd.pid"
        if keeper.exists():
            os.kill(int(keeper.read_text()), signal.SIGTERM)
            eventually(lambda: not keeper.exists(), "virtlogd ends")


def virsh(host: Any, *arguments: str | Path) -> str:
    result = subprocess.run(
        [*host.entering, "virsh", *arguments],
        env=host.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_machine_lives_on_libvirt(libvirt: Any, eventually: Eventually) -> None:
    host = libvirt
    prefix = host.build("demo")
    flags = ("--disk", "size=8M", "--data", "hello", "--mem", "96", "--runner", "libvirt")
    host.ingot("run", prefix, *flags, "--detach")
    host.await_console("demo", "tiny kernel up")
    row = host.machines()["demo"]
    assert (row["runner"], row["state"]) == ("libvirt", "running")
    assert "demo" in virsh(host, "list", "--name")
    words = Path(f"/proc/{row['pid']}/cmdline").read_bytes().split(b"\0")
    told = f"name=opt/ingot/data,file={host.folder('demo')}/libvirt/metadata"
    assert told.encode() in words
    usage = json.loads(host.ingot("stats", "--interval", "100ms", "--json").stdout)
    assert usage["memory_resident_bytes"] > 1 << 20
    assert usage["memory_bytes"] is None
    assert "no snapshots" in host.ingot("snapshot", "save", "demo", "one", code=2).stderr

    stopped = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert stopped["how"] == "powered-off"
    assert "powering off" in host.ingot("logs", "demo").stdout
    host.ingot("start", "demo")
    assert host.machines()["demo"]["runner"] == "libvirt", "it is kept"
    host.ingot("kill", "demo")
    eventually(lambda: not virsh(host, "list", "--all", "--name").strip(), "libvirt forgets it")
    host.ingot("run", "demo", "--runner", "qemu", "--detach")
    assert host.machines()["demo"]["runner"] == "qemu"
    host.ingot("kill", "demo")
    host.ingot("rm-machine", "--yes", "demo")


def test_a_user_s_own_libvirt_takes_disks_cards_and_ports(libvirt: Any) -> None:
    """All but bridges, for which it needs a helper that root has set up."""
    host = libvirt
    own = host.home / "own.qcow2"
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        number = probe.getsockname()[1]
    flags = ["--runner", "libvirt", "--disk", "size=8M", "--disk", f"{own},size=9M"]
    flags += ["--publish", f"[::1]:{number}:80", "--ip", "10.1.2.3", "--ip", "fd00::5"]
    host.ingot("run", host.build("demo"), *flags, "--detach")
    host.await_console("demo", "tiny kernel up")
    row = host.machines()["demo"]
    assert (row["ip"], row["ip6"]) == ("10.1.2.3", "fd00::5")
    disks = virsh(host, "domblklist", "demo")
    assert str(own) in disks
    assert "disk-0.img" in disks
    assert host.ingot("port", "demo", "80").stdout == f"[::1]:{number}\n"
    with socket.create_connection(("::1", number), timeout=10):
        pass
    with socket.socket(socket.AF_UNIX) as agent:
        agent.connect(str(host.folder("demo") / "agent.sock"))
    assert json.loads(host.ingot("kill", "demo", "--json").stdout)["how"] == "killed"
    host.ingot("start", "demo")
    assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "powered-off"
    host.ingot("rm-machine", "--yes", "demo")
    assert own.exists()


def test_a_domain_that_is_gone_is_a_stopped_machine(libvirt: Any) -> None:
    host = libvirt
    host.ingot("run", host.build("demo"), "--runner", "libvirt", "--detach")
    virsh(host, "destroy", "demo")
    assert host.machines()["demo"]["state"] == "stopped"
    host.ingot("start", "demo")
    host.ingot("kill", "demo")


def test_a_name_that_is_taken_in_libvirt_is_never_taken_over(libvirt: Any) -> None:
    host = libvirt
    theirs = host.home / "theirs.xml"
    theirs.write_text(
        "<domain type='qemu'><name>demo</name><memory unit='MiB'>64</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )
    virsh(host, "define", theirs)
    result = host.ingot("run", host.build("demo"), "--runner", "libvirt", "--detach", code=1)
    assert "'demo' already exists" in result.stderr
    assert "qemu.log" in result.stderr.partition("hint:")[2]
    assert not host.machines().get("demo", {}).get("running")


def test_libvirt_understands_each_part_of_a_domain(libvirt: Any) -> None:
    """Against its own schema, and by turning it into a domain, which nothing runs."""
    path = libvirt.home / "domain.xml"
    for name in ("kernel", "everything", "iso-uefi", "disk", "config-drive"):
        text = (GOLDEN / f"libvirt-{name}.txt").read_text()
        xml = text.partition("\n")[2].rpartition("$ virsh")[0]
        # This host may have no KVM.
        xml = xml.replace('type="kvm"', 'type="qemu"').replace("host-passthrough", "maximum")
        path.write_text(xml)
        virsh(libvirt, "define", "--validate", path)


def test_without_its_daemon_the_error_says_what_to_start(libvirt: Any) -> None:
    host = libvirt
    host.environment["LIBVIRT_DEFAULT_URI"] = "qemu+unix:///session?socket=/absent"
    result = host.ingot("run", host.build("demo"), "--runner", "libvirt", "--detach", code=1)
    assert "failed to connect" in result.stderr
    assert "libvirtd" in result.stderr.partition("hint:")[2]
