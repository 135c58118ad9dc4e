"""The guest's side of a boot: services kept running and locked up, failures that stop it."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 240
BUSYBOX = "/bin/busybox"
# Services get 10 s each at most; a graceful end takes half a second of processor time.
STOP_LIMIT_S = 30


@pytest.fixture(scope="module")
def hello(
    cli: Cli, hello_image: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """Boot examples/hello.yml once, in 128 MiB; yields the machine's name and its port."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    cli(
        *("run", hello_image, "--name", "boot-hello", "--mem", "128M"),
        *("--publish", f"{port}:8080", "--wait"),
        timeout_s=BOOT_TIMEOUT_S,
    )
    yield "boot-hello", port
    cli("stop", "boot-hello", check=False)
    cli("rm-machine", "--yes", "boot-hello", check=False)


def inside(cli: Cli, machine: str, *command: str, check: bool = True) -> str:
    result = cli("exec", machine, "hello", BUSYBOX, *command, check=check)
    return result.stdout + result.stderr


def on_the_host(cli: Cli, machine: str, script: str) -> str:
    return cli("exec", "--host", machine, BUSYBOX, "sh", "-c", script).stdout


def listed(cli: Cli, machine: str) -> dict[str, Any]:
    rows = [json.loads(line) for line in cli("ps", "--json").stdout.splitlines()]
    return next(row for row in rows if row["name"] == machine)


def answer(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as response:
        return bytes(response.read())


def test_a_service_has_no_rights(cli: Cli, hello: tuple[str, int]) -> None:
    machine, _ = hello
    # Of the service's own first process, and of a command that joins it.
    for status in ("/proc/1/status", "/proc/self/status"):
        text = inside(cli, machine, "cat", status)
        fields = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
        capabilities = {key: value for key, value in fields.items() if key.startswith("Cap")}
        assert set(capabilities.values()) == {"0000000000000000"}, capabilities
        assert len(capabilities) == 5
        assert fields["NoNewPrivs"] == "1"
        assert fields["Seccomp"] == "2"
        assert fields["Uid"].split() == ["1000"] * 4


def test_a_service_can_write_nowhere(cli: Cli, hello: tuple[str, int]) -> None:
    machine, _ = hello
    for place in ("/file", "/www/file", "/etc/hosts", "/usr/file"):
        said = inside(cli, machine, "touch", place, check=False)
        assert "Read-only file system" in said, place
    mounts = inside(cli, machine, "cat", "/proc/self/mountinfo")
    root = next(line for line in mounts.splitlines() if line.split()[4] == "/")
    assert "squashfs" in root
    assert root.split()[5].startswith("ro")


def test_a_service_sees_itself_alone(cli: Cli, hello: tuple[str, int]) -> None:
    machine, _ = hello
    names = inside(cli, machine, "ps", "-o", "comm")
    assert "runsvdir" not in names
    assert "hello" in names
    assert inside(cli, machine, "cat", "/proc/kcore") == "", "masked"
    assert (
        "denied" in inside(cli, machine, "mount", "-t", "tmpfs", "x", "/www", check=False).lower()
    )
    # A device node that could be made could not be opened either: the control group says so.
    assert "vda" not in inside(cli, machine, "ls", "/dev")


def test_a_service_that_dies_starts_again(cli: Cli, hello: tuple[str, int]) -> None:
    machine, port = hello
    assert b"hello" in answer(port)
    process = "/sys/fs/cgroup/services/hello/cgroup.procs"
    before = on_the_host(cli, machine, f"head -n 1 {process}").strip()
    on_the_host(cli, machine, f"kill -9 {before}")
    deadline_s = time.monotonic() + 60
    while "hello ended with exit code 137" not in cli("logs", machine).stdout:
        assert time.monotonic() < deadline_s, cli("logs", machine).stdout
        time.sleep(0.2)
    while listed(cli, machine)["services"]["hello"] != "ready":
        assert time.monotonic() < deadline_s, cli("logs", machine).stdout
        time.sleep(0.2)
    after = on_the_host(cli, machine, f"head -n 1 {process}").strip()
    assert after not in {"", before}
    assert b"hello" in answer(port)


def test_the_page_says_what_a_person_needs(cli: Cli, hello: tuple[str, int]) -> None:
    text = cli("logs", hello[0]).stdout
    assert re.search(r"hello is ready\n\s+address\s+10\.0\.2\.15 \(eth0\)", text.replace("\r", ""))
    assert "serving /www on port 8080" in text


def test_the_machine_ends_in_order_and_soon(cli: Cli, hello: tuple[str, int]) -> None:
    """Last of this machine: the power key ends services, then the machine itself."""
    machine, _ = hello
    started_s = time.monotonic()
    stopped = json.loads(cli("stop", machine, "--json").stdout)
    assert stopped["how"] == "powered-off"
    assert time.monotonic() - started_s < STOP_LIMIT_S
    log = cli("logs", machine).stdout
    assert "ingot: stopping" in log
    assert "did not stop within" not in log
    assert "Power down" in log


STEPS = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init]
onboot:
  - {name: good, image: component:tool, command: [/usr/bin/busybox, echo, all is well]}
  - name: bad
    image: component:tool
    command: [/usr/bin/busybox, sh, -c, 'echo first words; echo "last \\"words\\""; exit 3']
  - {name: later, image: component:tool, command: [/usr/bin/busybox, echo, must not run]}
services:
  - {name: service, image: component:tool, command: [/usr/bin/busybox, sleep, "1000"]}
"""


def test_a_step_that_fails_stops_the_boot(cli: Cli, build_own: BuildOwn, tmp_path: Path) -> None:
    text = fails(cli, build_own(tmp_path, STEPS), "boot-steps")
    assert "bad: last" in text
    log = cli("logs", "boot-steps").stdout
    assert "good: all is well" in log
    assert "BOOT STOPPED at bad" in log
    assert re.search(r"reason: +last \"words\"", log)
    assert "command: /usr/bin/busybox sh -c" in log
    assert "must not run" not in log
    ends(cli, "boot-steps")


@pytest.mark.slow  # One boot for an option of the command line.
def test_a_boot_that_fails_can_switch_off(cli: Cli, build_own: BuildOwn, tmp_path: Path) -> None:
    text = STEPS.replace("panic=-1", "panic=-1 ingot.on-failure=poweroff")
    name = "boot-switches-off"
    cli("run", build_own(tmp_path, text), "--name", name, "--detach")
    cli("wait", name, "--until", "stopped", timeout_s=BOOT_TIMEOUT_S)
    assert "BOOT STOPPED at bad" in cli("logs", name).stdout
    cli("rm-machine", "--yes", name)


SETTINGS = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
network: {address: 10.0.2.50/24, gateway: 10.0.2.2, dns: [10.0.2.3]}
onboot:
  - name: share
    image: component:tool
    command: [/bin/busybox, sh, -c, echo shared > /var/shared/x]
    runtime: {mkdir: [/var/shared]}
    binds: [/var/shared:/var/shared]
onshutdown:
  - {name: bye, image: component:tool, command: [/bin/busybox, echo, good bye]}
services:
  - name: late
    image: component:tool
    tmpfs: [/tmp]
    command: [/bin/busybox, sh, -c, touch /tmp/ready; while true; do sleep 1; done]
    depends: [writer, job]
    ready: {command: [/bin/busybox, test, -e, /tmp/ready]}
    stop-timeout: 1s
  - name: writer
    image: component:tool
    readonly: false
    command: [/bin/busybox, sh, -c, cat /shared/x > /page && exec httpd -f -p 8080 -h /]
    binds: ["/var/shared:/shared:ro"]
    ready: {port: 8080}
    stop-timeout: 1s
  - name: job
    image: component:tool
    restart: on-failure
    # 1.4 MB in lines as long as the logger takes them: more than one file of a log holds.
    command:
      - /bin/busybox
      - sh
      - -c
      - for i in $(seq 1500); do printf '%0950d\\n' 0; done; echo job done
"""


def test_settings_of_services_hold_in_the_guest(
    cli: Cli, build_own: BuildOwn, tmp_path: Path
) -> None:
    """Order, readiness, a writable layer, binds, a job, a fixed address, the end by force."""
    name = "boot-settings"
    cli("run", build_own(tmp_path, SETTINGS), "--name", name, "--wait", timeout_s=BOOT_TIMEOUT_S)
    assert listed(cli, name)["services"] == {"late": "ready", "writer": "ready", "job": "ready"}
    log = cli("logs", name).stdout
    assert re.search(r"address +10\.0\.2\.50 \(eth0\)", log)
    assert re.search(r"services +writer job late", log)
    assert on_the_host(cli, name, "wget -q -O - http://10.0.2.50:8080/page") == "shared\n"
    assert on_the_host(cli, name, "cat /etc/resolv.conf") == "nameserver 10.0.2.3\n"
    assert "job done" in on_the_host(cli, name, "cat /var/log/job/current")
    sizes = on_the_host(cli, name, "cd /var/log/job && stat -c %s @* current").split()
    assert len(sizes) == 2, "the log was not rotated"
    assert all(int(size) <= 1_000_000 for size in sizes)
    assert on_the_host(cli, name, "cat /run/runit/job/stat").startswith("down")

    ends(cli, name, keep=True)
    log = cli("logs", name).stdout
    # Neither asks for a signal as the first process of its container: both are killed.
    assert re.findall(r"(\w+) did not stop within 1 s", log) == ["late", "writer"]
    assert log.index("did not stop") < log.index("good bye") < log.index("Power down")
    cli("rm-machine", "--yes", name)


def fails(cli: Cli, image: Path, name: str, *options: str | Path) -> str:
    """Boot something that must not become ready; return what `ingot run` said."""
    result = cli(
        *("run", image, "--name", name, "--wait", *options), check=False, timeout_s=BOOT_TIMEOUT_S
    )
    assert result.returncode == 1, result.stdout + result.stderr
    row = listed(cli, name)
    assert row["state"] == "failed"
    assert row["services"] == {}, "a service was started"
    return result.stderr


def ends(cli: Cli, name: str, *, keep: bool = False) -> None:
    """The power key works, also on a machine whose boot was stopped."""
    assert json.loads(cli("stop", name, "--json").stdout)["how"] == "powered-off"
    if not keep:
        cli("rm-machine", "--yes", name)


def test_without_its_disk_the_store_does_not_start(cli: Cli, store_image: Path) -> None:
    assert "there is no disk for the data" in fails(cli, store_image, "boot-diskless")
    ends(cli, "boot-diskless")
