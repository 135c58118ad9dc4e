"""An appliance for arm64 as a machine of this host, under emulation."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.xdist_group("machines"),
    pytest.mark.timeout(900),
]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]

ROOT = Path(__file__).resolve().parents[2]
MACHINE = "an-arm"
ADDRESS = "192.168.65.64"


def test_an_arm_lives_its_life(cli: Cli, tmp_path: Path) -> None:
    example = ROOT / "examples" / "hello.yml"
    cli("build", "--arch", "arm64", example, "--dir", tmp_path, timeout_s=900)
    flags = ("--name", MACHINE, "--ip", ADDRESS, "--disk", "size=8M", "--mem", "256M")
    cli("run", tmp_path / "hello", *flags, "--data", "told", "--wait=8m", timeout_s=500)
    row = json.loads(cli("ps", "--json").stdout)
    assert (row["state"], row["ip"], row["accelerator"]) == ("ready", ADDRESS, "tcg")

    def guest(script: str) -> str:
        return cli("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c", script).stdout

    assert guest("uname -m") == "aarch64\n"
    assert ADDRESS in guest("ip -4 addr show dev eth0")
    assert guest("cat /sys/block/vda/serial") == "ingot-0"
    assert "hello is ready" in cli("logs", MACHINE).stdout
    assert json.loads(cli("stop", MACHINE, "--json").stdout)["how"] == "powered-off"
    cli("rm-machine", "--yes", MACHINE)
