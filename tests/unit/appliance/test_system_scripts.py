"""Scripts of components, in the shell of this machine with the machine's places replaced."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import ingot.system

SYSTEM = Path(next(iter(ingot.system.__path__)))

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a component's script with arguments, its absolute places below tmp_path."""

    def script(name: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        text = (SYSTEM / name).read_text()
        text = re.sub(r"(?<![\w}])/(proc|run|sys|etc|tmp|usr/sbin)/", rf"{tmp_path}/\1/", text)
        path = tmp_path / "script"
        path.write_text(text)
        for folder in ("proc", "run/config/ntp", "run/network", "tmp", "usr/sbin"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            ["sh", path, *arguments], capture_output=True, text=True, check=False, timeout=20
        )

    return script


@pytest.fixture
def clock(run: Run, tmp_path: Path) -> Callable[..., list[str]]:
    """Run the time service with what names servers; returns those it follows."""

    def follow(
        *arguments: str, cmdline: str = "", metadata: str = "", lease: str = ""
    ) -> list[str]:
        for path, text in (
            ("proc/cmdline", f"{cmdline}\n"),
            ("run/config/ntp/servers", metadata),
            ("run/network/ntp.eth0", f"{lease}\n"),
            ("usr/sbin/chronyd", "#!/bin/sh\n"),
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        (tmp_path / "usr/sbin/chronyd").chmod(0o755)
        result = run("ntp/ntp", *arguments)
        assert result.returncode == 0, result.stderr
        conf = (tmp_path / "tmp/chrony.conf").read_text()
        assert "makestep" in conf
        return [line.split()[1] for line in conf.splitlines() if line.startswith("server ")]

    return follow


def test_the_command_line_names_time_servers_before_all_others(
    clock: Callable[..., list[str]],
) -> None:
    told = {"metadata": "10.0.0.3\n", "lease": "10.0.0.4 10.0.0.5"}
    assert clock("a", "b", cmdline="quiet ingot.ntp=x,y panic=-1", **told) == ["x", "y"]
    assert clock("a", "b", cmdline="quiet", **told) == ["10.0.0.3"]
    assert clock("a", "b", lease="10.0.0.4") == ["a", "b"]
    assert clock(lease="10.0.0.4 10.0.0.5") == ["10.0.0.4", "10.0.0.5"]


@pytest.fixture
def parameters(tmp_path: Path) -> Path:
    """Kernel parameters and a file of /sys, as files."""
    for name in ("net/core/somaxconn", "kernel/domainname"):
        path = tmp_path / "proc/sys" / name
        path.parent.mkdir(parents=True)
        path.write_text("0\n")
    value = tmp_path / "sys/kernel/mm/run"
    value.parent.mkdir(parents=True)
    value.write_text("0\n")
    for folder in ("sysctl.d", "sysfs.d"):
        (tmp_path / "etc" / folder).mkdir(parents=True)
    return tmp_path


def test_parameters_are_set_from_files_and_then_arguments(run: Run, parameters: Path) -> None:
    conf = "# a comment\n\n; another\nnet.core.somaxconn = 10\nkernel/domainname=a b\n"
    (parameters / "etc/sysctl.d/10-own.conf").write_text(conf)
    result = run("sysctl/sysctl", "net.core.somaxconn=20")
    assert result.returncode == 0, result.stdout
    assert (parameters / "proc/sys/net/core/somaxconn").read_text() == "20\n"
    assert (parameters / "proc/sys/kernel/domainname").read_text() == "a b\n"


def test_an_unknown_parameter_stops_the_boot(run: Run, parameters: Path) -> None:
    result = run("sysctl/sysctl", "net.core.nothing=1", "net.core.somaxconn=20")
    assert (result.returncode, result.stdout) == (
        1,
        "there is no kernel parameter net.core.nothing\n",
    )
    assert (parameters / "proc/sys/net/core/somaxconn").read_text() == "0\n"


def test_files_of_sys_are_written(run: Run, parameters: Path) -> None:
    (parameters / "etc/sysfs.d/a.conf").write_text("kernel/mm/run = 1\n")
    assert run("sysfs/sysfs").returncode == 0
    assert (parameters / "sys/kernel/mm/run").read_text() == "1\n"
    result = run("sysfs/sysfs", "kernel/mm/walk=1")
    assert result.returncode == 1
    assert "there is no file" in result.stdout


def test_a_module_that_is_missing_stops_the_boot(run: Run, parameters: Path) -> None:
    (parameters / "sys/module/dm_crypt").mkdir(parents=True)
    assert run("modprobe/modprobe", "-a", "dm-crypt").returncode == 0
    result = run("modprobe/modprobe", "dm-crypt", "wireguard")
    assert (result.returncode, result.stdout) == (1, "the kernel module wireguard is not loaded\n")


@pytest.mark.parametrize("size", ["32", "1T", "M"])
def test_swap_space_has_a_size(run: Run, size: str) -> None:
    result = run("swap/swap", "/var/data/.swap", size)
    assert result.returncode == 1
