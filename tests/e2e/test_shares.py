"""Folders of the host in a guest: files pass both ways, and read-only is read-only."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("machines"), pytest.mark.timeout(900)]

BuildOwn = Callable[[Path, str], Path]
Cli = Callable[..., "subprocess.CompletedProcess[str]"]

BOOT_TIMEOUT_S = 240
MACHINE = "shares"
# Somebody who is not root, with root's files.
SOMEBODY = ["unshare", "--user", "--map-user=1000", "--map-group=1000"]
IMAGE = """
kernel: {image: component:kernel, cmdline: console=ttyS0 quiet panic=-1}
init: [component:init, component:agent]
onboot: [{name: share, image: component:share}]
services:
  - name: reader
    image: component:tool
    command: [/bin/busybox, sleep, inf]
    binds: ["/run/shares/given:/given:ro", "/run/shares/both:/both"]
"""


@pytest.fixture(scope="module")
def image(build_own: BuildOwn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_own(tmp_path_factory.mktemp("shares"), IMAGE)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("both", "given", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "given" / "file").write_text("from the host\n")
    (tmp_path / "given" / "link").symlink_to(tmp_path / "outside")
    return tmp_path


def exchange(ingot: Cli, image: Path, folders: Path) -> None:
    """Run the machine, and leave it stopped."""
    ingot(
        *("run", image, "--name", MACHINE, "--share", f"{folders}/both:both"),
        *("--share", f"{folders}/given:given:ro", "--wait"),
        timeout_s=BOOT_TIMEOUT_S,
    )

    def guest(script: str) -> str:
        return ingot("exec", "--host", MACHINE, "/bin/busybox", "sh", "-c", script).stdout

    service = ("exec", MACHINE, "reader", "/bin/busybox", "cat", "/given/file")
    assert ingot(*service).stdout == "from the host\n"
    guest("echo from the guest > /run/shares/both/answer")
    assert (folders / "both" / "answer").read_text() == "from the guest\n"
    (folders / "both" / "later").write_text("while it runs")
    assert guest("cat /run/shares/both/later") == "while it runs"

    tried = guest(
        "touch /run/shares/given/new 2>&1; mount -o remount,rw /run/shares/given;"
        " echo changed > /run/shares/given/file; mknod /run/shares/both/node c 1 3; true"
    )
    assert "Read-only file system" in tried
    assert sorted(os.listdir(folders / "given")) == ["file", "link"]
    assert (folders / "given" / "file").read_text() == "from the host\n"
    assert not (folders / "both" / "node").exists()
    assert "noexec" in guest("grep /run/shares/both /proc/mounts")
    # A link's target is looked up in the guest.
    assert guest("ls /run/shares/given/link/ 2>&1; true").strip() != ""

    refused = ingot("snapshot", "save", MACHINE, "one", check=False)
    assert (refused.returncode, "it has shares" in refused.stderr) == (2, True)
    assert json.loads(ingot("stop", MACHINE, "--json").stdout)["how"] == "powered-off"
    assert _daemons(folders) == []


def _daemons(folders: Path) -> list[str]:
    """Return the daemons that serve a folder of this test."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if b"virtiofsd" in words and os.fsencode(folders) in words:
            found.append(str(path))
    return found


def test_folders_are_shared(cli: Cli, image: Path, folders: Path) -> None:
    exchange(cli, image, folders)
    cli("rm-machine", "--yes", MACHINE)


@pytest.mark.slow
def test_folders_are_shared_by_somebody_who_is_not_root(
    environment: dict[str, str], image: Path, folders: Path
) -> None:
    def ingot(
        *arguments: str | Path, check: bool = True, timeout_s: float = 120
    ) -> "subprocess.CompletedProcess[str]":
        entering = SOMEBODY if os.geteuid() == 0 else []
        return subprocess.run(
            [*entering, sys.executable, "-m", "ingot", *map(str, arguments)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=check,
        )

    exchange(ingot, image, folders)
    ingot("start", MACHINE, "--wait", timeout_s=BOOT_TIMEOUT_S)
    again = ("exec", "--host", MACHINE, "/bin/busybox", "cat", "/run/shares/both/answer")
    assert ingot(*again).stdout == "from the guest\n"
    ingot("kill", MACHINE)
    ingot("rm-machine", "--yes", MACHINE)
    assert _daemons(folders) == []
