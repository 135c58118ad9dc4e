"""A serving appliance, saved and brought back: it answers at once, with the disk of that moment."""

import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

MACHINE = "saved"
SHELL = ("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c")
BOOT_ID = "/proc/sys/kernel/random/boot_id"


def test_a_restored_machine_serves_without_a_boot(
    cli: Cli, hello_image: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    cli(
        *("run", hello_image, "--name", MACHINE, "--disk", "size=64M"),
        *("--publish", f"{port}:8080", "--wait"),
        timeout_s=300,
    )
    boot = cli(*SHELL, f"cat {BOOT_ID}").stdout
    cli(*SHELL, "echo first > /run/memory; echo first | dd of=/dev/vda conv=fsync")
    cli("snapshot", "save", MACHINE, "first")
    cli(*SHELL, "echo second > /run/memory; echo second | dd of=/dev/vda conv=fsync")
    cli("kill", MACHINE)

    cli("snapshot", "restore", "--yes", MACHINE, "first")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert b"hello" in answer.read()
    assert cli(*SHELL, f"cat {BOOT_ID}").stdout == boot
    assert cli("wait", MACHINE, "--timeout", "1s").stdout.startswith(f"{MACHINE} is ready")
    seen = cli(*SHELL, "cat /run/memory; dd if=/dev/vda bs=6 count=1 iflag=direct 2>/dev/null")
    assert seen.stdout == "first\nfirst\n"

    cli("stop", MACHINE)
    cli("rm-machine", "--yes", MACHINE)
