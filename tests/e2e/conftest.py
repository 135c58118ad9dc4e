"""What the end-to-end tests share: the real command, images built once, machines cleaned up.

All of them carry the same xdist group (`pytestmark` in each file), so that one worker builds an
image once and boots run one after another: a machine under emulation takes a whole core.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

BOOT_TIMEOUT_S = 240
# An emulated timer that ticks late stops the kernel at its start; `ingot run` gives the kernel
# `no_timer_check` for that, but the command line of a medium is fixed.
BUSY_HOST = "timer doesn't work"
ATTEMPTS = 3

ROOT = Path(__file__).resolve().parents[2]
BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The user's environment with settings and machines of its own; the package cache is shared."""
    # A short path: sockets of machines live below it, and their names are limited to 107 bytes.
    home = Path(tempfile.mkdtemp(prefix="ingot-e2e-", dir="/tmp"))
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("MC_", "AWS_", "MINIO_"))}
    variables |= {
        "INGOT_CONFIG_DIR": str(home / "config"),
        "INGOT_STATE_DIR": str(home / "state"),
    }
    yield variables
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def cli(environment: dict[str, str]) -> Iterator[Cli]:
    """Run `ingot …` as a process and return it; every machine it left behind is stopped.

    `within` names a network namespace to run it in.
    """

    def run(
        *arguments: str | Path,
        check: bool = True,
        timeout_s: float = 120,
        stdin: str | None = None,
        within: str | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        entering = [] if within is None else ["ip", "netns", "exec", within]
        result = subprocess.run(
            [*entering, sys.executable, "-m", "ingot", *map(str, arguments)],
            env=environment,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check:
            shown = " ".join(map(str, arguments))
            assert result.returncode == 0, f"ingot {shown}\n{result.stdout}\n{result.stderr}"
        return result

    yield run
    for line in run("ps", "--json").stdout.splitlines():
        run("stop", "--timeout", "5", json.loads(line)["name"], check=False)


@pytest.fixture(scope="session")
def store_image(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build examples/store.yml once; returns the prefix of its files."""
    return _build(cli, "store", tmp_path_factory)


@pytest.fixture(scope="session")
def hello_image(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build examples/hello.yml once; returns the prefix of its files."""
    return _build(cli, "hello", tmp_path_factory)


def _build(cli: Cli, name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(f"build-{name}")
    # A cold cache downloads some 80 MB of packages and wheels.
    cli("build", ROOT / "examples" / f"{name}.yml", "--dir", folder, timeout_s=900)
    return folder / name


@pytest.fixture(scope="session")
def build_own(cli: Cli) -> BuildOwn:
    """Build an appliance file's text in a folder; its `component:tool` is busybox alone.

    Returns the prefix of the build's files.
    """

    def build(folder: Path, text: str) -> Path:
        component = folder / "components" / "tool" / "component.yml"
        component.parent.mkdir(parents=True)
        component.write_text("packages: [busybox-static]\n")
        (folder / "own.yml").write_text(text)
        cli("build", folder / "own.yml", "--dir", folder, timeout_s=600)
        return folder / "own"

    return build


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return ports of the loopback interface that nobody listens on."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return find


@pytest.fixture
def boot_machine(tmp_path: Path) -> Iterator[Callable[[Sequence[str | Path]], str]]:
    """Run QEMU; returns console and status once services are ready or the boot has ended.

    The command names machine, memory, firmware, network and disks; the rest is the same for all.
    """
    machines: list[subprocess.Popen[bytes]] = []
    console, status = tmp_path / "console", tmp_path / "status"
    common = [
        *("-accel", "tcg", "-smp", "1", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-serial", f"file:{console}", "-device", "virtio-serial-pci"),
        *("-chardev", f"file,id=status,path={status}"),
        *("-device", "virtserialport,chardev=status,name=ingot.status"),
    ]

    def boot(command: Sequence[str | Path]) -> str:
        said = ""
        for _ in range(ATTEMPTS):
            for path in (console, status):
                path.unlink(missing_ok=True)
            machine = subprocess.Popen([*command, *common])
            machines.append(machine)
            said = _wait_for_end(machine, console, status)
            if BUSY_HOST not in said:
                break
        return said

    yield boot
    for machine in machines:
        machine.kill()
        machine.wait()


def _wait_for_end(machine: "subprocess.Popen[bytes]", console: Path, status: Path) -> str:
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while True:
        ended = machine.poll() is not None or time.monotonic() > deadline
        texts = [path.read_text(errors="replace") for path in (console, status) if path.exists()]
        said = "".join(texts)
        if ended or '"event":"ready"' in said or "ingot: boot stopped" in said:
            return said
        time.sleep(0.2)
