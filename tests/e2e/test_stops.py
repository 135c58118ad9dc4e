"""The power button in each phase of a boot: the machine always powers off through its guest."""

import json
import subprocess
import time
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

MACHINE = "pressed-early"
MOMENTS = 6


def test_a_machine_stops_whenever_it_is_asked(cli: Cli, hello_image: Path) -> None:
    began_s = time.monotonic()
    cli("run", hello_image, "--name", MACHINE, "--wait", timeout_s=240)
    boot_s = time.monotonic() - began_s
    cli("stop", MACHINE)
    for number in range(MOMENTS):
        cli("start", MACHINE)
        time.sleep(boot_s * number / MOMENTS)
        stopped = cli("stop", MACHINE, "--timeout", "2m", "--json", timeout_s=200)
        assert json.loads(stopped.stdout)["how"] == "powered-off", f"moment {number}"
    cli("rm-machine", "--yes", MACHINE)
