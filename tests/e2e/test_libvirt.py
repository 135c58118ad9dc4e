"""An appliance on a libvirt that the test starts: booted, waited for, entered, stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("machines"),
    pytest.mark.timeout(900),
]

MACHINE = "on-libvirt"
ADDRESS = "192.168.65.101"
# Root's libvirt would be the host's own; in a user namespace of its own root is somebody else.
SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
ENTERING = SOMEBODY if os.geteuid() == 0 else []

Ingot = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ingot() -> Iterator[Ingot]:
    """Run `ingot …` as somebody who has a libvirt of their own."""
    home = Path(tempfile.mkdtemp(prefix="ingot-lv-", dir="/tmp"))
    environment = {
        **os.environ,
        "HOME": str(home),
        "INGOT_STATE_DIR": str(home / "state"),
        "INGOT_CACHE_DIR": str(home / "cache"),
        "LIBVIRT_DEFAULT_URI": "qemu:///session",
        "XDG_RUNTIME_DIR": str(home / "run"),
        **{f"XDG_{kind}_HOME": str(home / kind) for kind in ("CONFIG", "CACHE", "DATA", "STATE")},
    }
    for name in ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        Path(environment[name]).mkdir(parents=True, mode=0o700)
    program = shutil.which("libvirtd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "this test needs Debian's libvirt-daemon"

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        result = subprocess.run(
            [*ENTERING, sys.executable, "-m", "ingot", *map(str, arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
        return result

    with (home / "libvirtd.log").open("wb") as log:
        daemon = subprocess.Popen([*ENTERING, program], env=environment, stdout=log, stderr=log)
    try:
        _await((home / "run/libvirt/libvirt-sock").exists)
        yield run
    finally:
        run("kill", "--all")
        daemon.terminate()
        daemon.wait(30)
        keeper = home / "run/libvirt/virtlogd.pid"
        if keeper.exists():
            os.kill(int(keeper.read_text()), signal.SIGTERM)
        shutil.rmtree(home)


def _await(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def test_a_kernel_boots_on_libvirt(
    ingot: Ingot, hello_image: Path, free_port: Callable[[], int]
) -> None:
    _lives(ingot, free_port(), hello_image)


def test_a_cd_boots_under_uefi_on_libvirt(
    ingot: Ingot, cli: Ingot, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    example = Path(__file__).parents[2] / "examples/hello.yml"
    cli("build", example, "--format", "iso-efi", "--dir", tmp_path, timeout_s=900)
    _lives(ingot, free_port(), tmp_path / "hello", "--uefi")


def _lives(ingot: Ingot, port: int, prefix: Path, *flags: str) -> None:
    ingot(
        *("run", prefix, *flags, "--name", MACHINE, "--runner", "libvirt", "--ip", ADDRESS),
        *("--disk", "size=64M", "--publish", f"{port}:8080", "--wait=6m"),
    )
    row = json.loads(ingot("ps", "--json").stdout)
    assert (row["runner"], row["state"], row["ip"]) == ("libvirt", "ready", ADDRESS)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert b"hello" in answer.read()
    shell = ("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c")
    assert ADDRESS in ingot(*shell, "ip -4 addr show dev eth0").stdout
    assert ingot(*shell, "cat /sys/block/vda/serial").stdout == "ingot-0"
    assert json.loads(ingot("stop", MACHINE, "--json").stdout)["how"] == "powered-off"
    assert "stopping" in ingot("logs", MACHINE).stdout
    ingot("rm-machine", "--yes", MACHINE)
