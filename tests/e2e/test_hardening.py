"""The store appliance from inside, by every service's processes: what it may do, see and write."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingot.appliance.bundle import HARDENED

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
Guest = Callable[[str], str]

NAME = "hardening"
BOOT_TIMEOUT_S = 300
# Numbers of capabilities(7).
RIGHTS = {"dhcp": {10, 12, 13}, "store": set()}
# On these nothing can be stored: they show the kernel's own values.
KERNEL_FILE_SYSTEMS = {"proc", "sysfs", "cgroup2", "devpts", "mqueue"}


@pytest.fixture(scope="module")
def guest(cli: Cli, store_image: Path) -> Iterator[Guest]:
    """Boot examples/store.yml in the memory it is promised to need; runs shell lines in it."""
    options = ("--name", NAME, "--mem", "256M", "--disk", "size=1G", "--wait")
    cli("run", store_image, *options, timeout_s=BOOT_TIMEOUT_S)

    def run(script: str) -> str:
        return cli("exec", "--host", NAME, "/bin/busybox", "sh", "-c", script).stdout

    yield run
    assert json.loads(cli("stop", NAME, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", NAME)


def processes(guest: Guest, service: str) -> list[str]:
    return guest(f"cat /sys/fs/cgroup/services/{service}/cgroup.procs").split()


def mounts(guest: Guest, process: str) -> list[tuple[str, str, set[str]]]:
    """Return where something is mounted, the file system's type, and the mount's options."""
    found = []
    for line in guest(f"cat /proc/{process}/mountinfo").splitlines():
        fields = line.split()
        kind = fields[fields.index("-") + 1]
        # A mount can be written to if neither it nor its file system is read-only.
        options = set(fields[5].split(","))
        if "ro" in fields[-1].split(","):
            options = options - {"rw"} | {"ro"}
        found.append((fields[4], kind, options))
    return found


@pytest.mark.parametrize("service", RIGHTS)
def test_processes_have_no_rights_but_the_listed(guest: Guest, service: str) -> None:
    found = processes(guest, service)
    assert found
    for process in found:
        text = guest(f"cat /proc/{process}/status")
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            held = {bit for bit in range(64) if int(fields[name], 16) >> bit & 1}
            assert held <= RIGHTS[service], (name, held)
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"


@pytest.mark.parametrize("place", ["init", *RIGHTS])
def test_nothing_that_can_be_written_can_be_run(guest: Guest, place: str) -> None:
    """Neither on the machine itself nor in a service; and no device can be made to work."""
    process = "1" if place == "init" else processes(guest, place)[0]
    loose = [
        (path, kind, sorted(options))
        for path, kind, options in mounts(guest, process)
        if "rw" in options
        and kind not in KERNEL_FILE_SYSTEMS
        # Device nodes are what it is for.
        and not {"noexec", "nosuid", *(() if path.startswith("/dev") else ("nodev",))} <= options
    ]
    assert loose == []


@pytest.mark.parametrize("service", RIGHTS)
def test_the_root_is_read_only_and_paths_are_masked(guest: Guest, service: str) -> None:
    process = processes(guest, service)[0]
    found = {path: (kind, options) for path, kind, options in mounts(guest, process)}
    assert found["/"][0] == "squashfs"
    # Who sets up network cards sets up their parameters, and no others.
    parameters = "/proc/sys" if service != "dhcp" else "/proc/sys/kernel"
    for path in ("/", "/sys", "/sys/fs/cgroup", parameters, "/proc/sysrq-trigger"):
        assert "ro" in found[path][1], path
    present = guest(f"cd /proc/{process}/root && ls -d {' '.join(masked())} 2>/dev/null; true")
    for path in present.split():
        assert f"/{path}" in found, f"/{path} is not masked"
        assert "ro" in found[f"/{path}"][1] or found[f"/{path}"][0] in {"tmpfs", "devtmpfs"}
        text = f"cat /proc/{process}/root/{path} 2>/dev/null | head -c 1 | wc -c"
        assert guest(text).strip() == "0", f"/{path} tells something"


def masked() -> list[str]:
    return [path.lstrip("/") for path in HARDENED.masked_paths or ()]


def test_no_program_gives_rights_away(guest: Guest) -> None:
    assert guest("find / -xdev -type f -perm /6000") == ""


def test_only_the_published_ports_are_open(guest: Guest) -> None:
    """The store's two; DHCP listens below the sockets, and closes that with its lease."""
    tables = guest("cat /proc/net/tcp /proc/net/tcp6").splitlines()
    rows = [line.split() for line in tables if ":" in line.split()[0]]
    listening = {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
    assert listening == {9000, 9001}
    datagrams = guest("cat /proc/net/udp /proc/net/udp6").splitlines()
    assert [line for line in datagrams if ":" in line.split()[0]] == []


def test_the_kernel_s_parameters_are_tight(guest: Guest) -> None:
    names = "kernel/dmesg_restrict kernel/kptr_restrict net/ipv4/conf/eth0/accept_redirects"
    names += " kernel/kexec_load_disabled fs/protected_symlinks fs/suid_dumpable"
    assert guest(f"cd /proc/sys && cat {names}").split() == ["1", "2", "0", "1", "1", "0"]


def test_the_memory_that_is_promised_suffices(guest: Guest) -> None:
    """256 MiB for the store, with room to work in: a tenth of it stays free of programs."""
    info = dict(line.split(":") for line in guest("cat /proc/meminfo").splitlines())
    total, available = (int(info[key].split()[0]) for key in ("MemTotal", "MemAvailable"))
    assert total < 256 << 10
    assert available > 25 << 10
    assert "Out of memory" not in guest("dmesg")
