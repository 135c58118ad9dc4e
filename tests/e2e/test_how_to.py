"""The how-to of a first appliance, done as it is written."""

import re
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(600)]

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/make-an-appliance.md"
Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def test_the_clock_appliance_of_the_how_to_answers(
    cli: Cli, free_port: Callable[[], int], tmp_path: Path
) -> None:
    blocks = re.findall(r"```(?:yaml|sh)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    component = tmp_path / "components/clock"
    component.mkdir(parents=True)
    (component / "component.yml").write_text(blocks[0])
    (component / "serve").write_text(blocks[1])
    (tmp_path / "appliance.yml").write_text(blocks[2])
    port = free_port()

    cli("build", tmp_path / "appliance.yml", "--name", "clock", "--dir", tmp_path, timeout_s=600)
    cli("run", tmp_path / "clock", "--publish", f"{port}:8080", "--wait", timeout_s=240)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert b" UTC " in answer.read()
    finally:
        cli("stop", "clock", timeout_s=90)
        cli("rm-machine", "--yes", "clock")
