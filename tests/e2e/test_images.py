"""Disk and CD images as machines, under BIOS and UEFI firmware."""

import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "imaged"
ADDRESS = "192.168.66.7"
SHELL = ("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c")
FORMATS = ("raw-bios", "qcow2-efi", "iso-bios")


@pytest.fixture(scope="module")
def build(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build examples/hello.yml as images; returns the prefix of its files."""
    folder = tmp_path_factory.mktemp("images")
    formats = [word for name in FORMATS for word in ("--format", name)]
    cli("build", ROOT / "examples/hello.yml", "--dir", folder, *formats, timeout_s=900)
    return folder / "hello"


@pytest.fixture
def no_machine_left(cli: Cli) -> Iterator[None]:
    yield
    cli("kill", MACHINE, check=False)
    cli("rm-machine", "--yes", MACHINE, check=False)


@pytest.mark.usefixtures("no_machine_left")
@pytest.mark.parametrize(
    ("flags", "uefi"),
    [
        (("--boot", "disk", "--no-uefi"), False),
        (("--boot", "disk", "--uefi"), True),
        (("--boot", "iso", "--no-uefi"), False),
        (("--boot", "iso", "--uefi"), True),
    ],
    ids=["disk-bios", "disk-uefi", "iso-bios", "iso-uefi"],
)
def test_an_image_boots(
    cli: Cli, build: Path, free_port: Callable[[], int], flags: tuple[str, ...], uefi: bool
) -> None:
    port = free_port()
    images = {path: path.read_bytes() for path in build.parent.iterdir()}
    cli(
        *("run", build, "--name", MACHINE, *flags, "--disk", "size=64M", "--ip", ADDRESS),
        *("--publish", f"{port}:8080", "--wait=4m"),
        timeout_s=300,
    )
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
        assert b"hello" in answer.read()
    [row] = [json.loads(line) for line in cli("ps", "--json").stdout.splitlines()]
    assert (row["name"], row["state"]) == (MACHINE, "ready")
    assert ADDRESS in cli(*SHELL, "ip -4 address show dev eth0").stdout
    assert cli(*SHELL, "cat /sys/block/vda/serial").stdout == "ingot-0", "the data disk is first"
    has_uefi = cli(*SHELL, "[ -d /sys/firmware/efi ]", check=False).returncode == 0
    assert has_uefi == uefi
    store = Path(row["folder"]) / "uefi-vars.fd"
    assert store.exists() == uefi
    cli("stop", MACHINE)
    assert {path: path.read_bytes() for path in build.parent.iterdir()} == images
