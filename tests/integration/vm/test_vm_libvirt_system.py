"""Machines on `qemu:///system`: the host's libvirt, with mounts and a network that are the test's.

Debian's libvirt-daemon-system is configuration, a user and units around the daemon that tests have;
here the daemon gets the same in namespaces of its own. It needs root.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.timeout(300)

Eventually = Callable[[Callable[[], object], str], None]
QEMU_USER, QEMU_ID = "libvirt-qemu", 64055  # as in Debian

# What is in /run, in libvirt's folders and in the lists of users is this daemon's alone. Nothing
# here has a security module or control groups to give it.
SETUP = f"""
set -e
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
for folder in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
  mkdir -p $folder
  mount -t tmpfs tmpfs $folder
done
cp /etc/passwd /etc/group /run
echo "{QEMU_USER}:x:{QEMU_ID}:{QEMU_ID}::/var/lib/libvirt:/usr/sbin/nologin" >> /run/passwd
echo "{QEMU_USER}:x:{QEMU_ID}:" >> /run/group
mount --bind /run/passwd /etc/passwd
mount --bind /run/group /etc/group
printf '%s\\n' "user = \\"$1\\"" "group = \\"$1\\"" 'security_driver = "none"' \
  'cgroup_controllers = [ ]' > /etc/libvirt/qemu.conf
ip link set lo up
ip link add br0 type bridge
ip link set br0 mtu 1400 up
ip tuntap add tap0 mode tap
ip link set tap0 master br0 up
virtlogd --daemon --pid-file /run/virtlogd.pid
exec libvirtd
"""
# libvirt waits for QEMUs that it probes to be gone, and whoever adopts them here must bury them.
REAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
daemon = subprocess.Popen(sys.argv[1:])
print(daemon.pid, flush=True)
while os.wait()[0] != daemon.pid:
    pass
"""


@pytest.fixture
def system(request: Any, host: Any, eventually: Eventually) -> Iterator[Any]:
    """The user of `host`, who is root, with the host's libvirt; QEMU runs as the param says."""
    host.home.chmod(0o711)
    host.environment.pop("LIBVIRT_DEFAULT_URI", None)
    host.environment["PATH"] = f"{os.environ['PATH']}:/usr/sbin"
    unshare = ["unshare", "--mount", "--net", "--propagation", "private"]
    with (host.home / "libvirtd.log").open("wb") as log:
        reaper = subprocess.Popen(
            [sys.executable, "-c", REAPER, *unshare, "sh", "-c", SETUP, "sh", request.param],
            env=host.environment,
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert reaper.stdout is not None
    daemon = int(reaper.stdout.readline())
    root = Path(f"/proc/{daemon}/root")
    host.entering = ["nsenter", "-t", str(daemon), "-m", "-n", f"-w{host.home}"]
    try:
        eventually(
            (root / "run/libvirt/libvirt-sock").exists,
            "libvirtd listens (this test needs root)",
        )
        host.qemu_user = request.param
        yield host
        host.end()
    finally:
        keeper = int((root / "run/virtlogd.pid").read_text())
        os.kill(daemon, signal.SIGTERM)
        reaper.wait(30)
        os.kill(keeper, signal.SIGTERM)
        reaper.stdout.close()
        host.entering = []


def inside(host: Any, *words: str) -> str:
    result = subprocess.run(
        [*host.entering, *words],
        env=host.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


# As a user of its own, each QEMU that libvirt probes takes it half a minute.
@pytest.mark.parametrize(
    "system", ["root", pytest.param(QEMU_USER, marks=pytest.mark.slow)], indirect=True
)
def test_a_machine_of_many_parts_on_the_host_s_libvirt(system: Any, eventually: Eventually) -> None:
    host = system
    state = Path(host.environment["INGOT_STATE_DIR"])
    (state / "machines").mkdir(parents=True)
    state.chmod(0o711)
    (state / "machines").chmod(0o711)
    own = host.home / "own.qcow2"
    flags = ["--runner", "libvirt", "--network", "bridge=br0", "--network", "tap=tap0"]
    flags += ["--network", "user", "--publish", "18080:80", "--publish", "[::1]:18080:80"]
    flags += ["--disk", "size=8M", "--disk", f"{own},size=9M", "--data", "hello", "--mem", "96"]
    host.ingot("run", host.build("demo"), *flags, "--detach")
    host.await_console("demo", "tiny kernel up")
    assert "demo" in inside(host, "virsh", "-c", "qemu:///system", "list", "--name")
    row = host.machines()["demo"]
    assert [network["kind"] for network in row["networks"]] == ["bridge", "tap", "user"]
    user = Path(f"/proc/{row['pid']}").stat().st_uid
    assert user == (QEMU_ID if host.qemu_user == QEMU_USER else 0)
    ports = inside(host, "ip", "-o", "link", "show", "master", "br0")
    assert "tap0:" in ports
    [made] = [line for line in ports.splitlines() if ": vnet" in line]
    assert "mtu 1400" in made
    assert f"fe{row['networks'][0]['mac'][2:]}" in made
    listening = inside(host, "cat", "/proc/net/tcp6")
    assert f"{18080:04X} " in listening
    assert host.ingot("port", "demo", "80").stdout == "127.0.0.1:18080\n[::1]:18080\n"
    usage = json.loads(host.ingot("stats", "--interval", "100ms", "--json").stdout)
    assert usage["memory_resident_bytes"] > 1 << 20
    with socket.socket(socket.AF_UNIX) as agent:
        agent.connect(str(host.folder("demo") / "agent.sock"))

    stopped = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert stopped["how"] == "powered-off"
    assert "powering off" in host.ingot("logs", "demo").stdout
    eventually(lambda: own.stat().st_uid == 0, "libvirt gives the disks back")
    assert ": vnet" not in inside(host, "ip", "-o", "link", "show", "master", "br0")
    host.ingot("start", "demo")
    assert json.loads(host.ingot("kill", "demo", "--json").stdout)["how"] == "killed"
    host.ingot("rm-machine", "--yes", "demo")
    assert (own.exists(), host.folder("demo").exists()) == (True, False)
    assert not inside(host, "virsh", "-c", "qemu:///system", "list", "--all", "--name").strip()


@pytest.mark.parametrize("system", [QEMU_USER], indirect=True)
def test_a_folder_that_qemu_may_not_enter_is_named(system: Any) -> None:
    host = system
    host.home.chmod(0o700)
    prefix = host.build("demo")
    result = host.ingot("run", prefix, "--runner", "libvirt", "--detach", code=4)
    assert f"libvirt runs QEMU as {QEMU_USER}, who may not enter {host.home}\n" in result.stderr
    assert f"chmod o+x {host.home}" in result.stderr
