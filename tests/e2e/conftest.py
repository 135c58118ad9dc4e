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
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

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
