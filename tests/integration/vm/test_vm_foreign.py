"""Whole lives of machines on VirtualBox and VMware, whose programs are stand-ins here.

Neither is in Debian. The stand-ins, in `standins/`, refuse what the vendors' programs would refuse,
keep states as they do, and run a process for each machine.
"""

import importlib.util
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

STANDINS = Path(__file__).parent / "standins"
GOLDEN = Path(__file__).parents[2] / "golden" / "runners"
Eventually = Callable[[Callable[[], object], str], None]


def standin(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, STANDINS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def install(folder: Path, program: str, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / program).write_text(f"#!{sys.executable}\n" + (STANDINS / f"{name}.py").read_text())
    (folder / program).chmod(0o755)


@pytest.fixture
def foreign(host: Any, tmp_path: Path) -> Any:
    """The user of `host`, with both hypervisors."""
    for program in ("VBoxManage", "VBoxHeadless"):
        install(tmp_path / "bin", program, "virtualbox")
    install(tmp_path / "bin", "vmrun", "vmware")
    (tmp_path / "virtualbox").mkdir()
    host.environment["VBOX_USER_HOME"] = str(tmp_path / "virtualbox")
    host.environment["PATH"] = f"{tmp_path}/bin:{os.environ['PATH']}"
    (host.home / "demo.iso").write_bytes(b"a CD")
    return host


def registered(host: Any) -> dict[str, Any]:
    path = Path(host.environment["VBOX_USER_HOME"]) / "machines.json"
    machines: dict[str, Any] = json.loads(path.read_text())
    return {machine["name"]: machine for machine in machines.values()}


def test_a_life_on_virtualbox(foreign: Any, eventually: Eventually) -> None:
    host = foreign
    own = host.home / "own disk.img"
    flags = ["--runner", "virtualbox", "--disk", "size=1M", "--disk", f"{own},size=2M"]
    flags += ["--publish", "18000:80", "--publish", "127.0.0.2:18000:80", "--data", "x"]
    flags += ["--network", "user", "--network", "bridge=lo", "--publish", "18053:53/udp"]
    host.ingot("run", "demo.iso", *flags, "--detach")
    row = host.machines()["demo"]
    assert (row["runner"], row["state"], row["accelerator"]) == ("virtualbox", "running", "own")
    assert (host.folder("demo") / "config.iso").read_bytes()[0x8001:0x8006] == b"CD001"
    machine = registered(host)["demo"]
    assert machine["pid"] == row["pid"]
    assert len(machine["rules"]) == 3
    assert sorted(machine["controllers"]["data"]) == ["0.0", "1.0"]
    assert host.ingot("port", "demo", "53/udp").stdout == "127.0.0.1:18053\n"
    host.await_console("demo", "the guest is up")
    assert host.ingot("logs", "demo").stdout == "the guest is up\n"
    usage = json.loads(host.ingot("stats", "--interval", "100ms", "--json").stdout)
    assert usage["memory_resident_bytes"] > 1 << 20
    for words in (("wait", "demo"), ("exec", "demo", "demo", "true"), ("console", "demo")):
        assert "VirtualBox has none" in host.ingot(*words, code=2).stderr
    assert "is running" in host.ingot("rm-machine", "--yes", "demo", code=6).stderr

    stopped = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert stopped["how"] == "powered-off"
    assert "powering off" in host.ingot("logs", "demo").stdout
    for words in (("start", "--wait", "demo"), ("run", "demo", "--wait")):
        assert "VirtualBox has none" in host.ingot(*words, code=2).stderr
        assert host.machines()["demo"]["state"] == "stopped", "nothing was started for it"
    # VirtualBox holds on to a machine for a moment after its end.
    host.ingot("start", "demo")
    killed = json.loads(host.ingot("kill", "demo", "--json").stdout)
    assert killed["how"] == "killed"
    assert "powering off" not in host.ingot("logs", "demo").stdout
    host.ingot("start", "demo")
    os.kill(host.machines()["demo"]["pid"], signal.SIGKILL)
    eventually(lambda: not host.machines()["demo"]["running"], "an end from outside is seen")
    host.ingot("start", "demo")
    host.ingot("kill", "demo")
    host.ingot("rm-machine", "--yes", "demo")
    assert registered(host) == {}
    assert (own.exists(), host.folder("demo").exists()) == (True, False)


def test_a_deaf_machine_on_virtualbox_is_killed_when_asked(foreign: Any) -> None:
    host = foreign
    host.environment["VBOX_DEAF"] = "1"
    host.ingot("run", "demo.iso", "--runner", "virtualbox", "--detach")
    stopped = host.ingot("stop", "--timeout", "500ms", "--kill", "demo", "--json")
    assert json.loads(stopped.stdout)["how"] == "killed"
    assert host.machines()["demo"]["state"] == "stopped"


def test_a_life_on_vmware(foreign: Any, eventually: Eventually) -> None:
    host = foreign
    # Characters that mean something in VMware's files.
    folder = host.home / 'a "quoted" | piped # folder'
    folder.mkdir()
    (host.home / "demo.iso").rename(folder / "demo.iso")
    flags = ["--runner", "vmware", "--disk", "size=1M", "--disk", "size=2M", "--data", "x"]
    flags += ["--network", "user", "--network", "bridge=vmnet2"]
    host.ingot("run", folder / "demo.iso", *flags, "--detach")
    row = host.machines()["demo"]
    assert (row["runner"], row["ip"], row["state"]) == ("vmware", None, "running")
    host.await_console("demo", "the guest is up")
    assert host.ingot("logs", "demo").stdout == "the guest is up\n"
    assert "vmware" in host.ingot("ps", "--json").stdout
    assert host.ingot("port", "demo").stdout == ""
    usage = json.loads(host.ingot("stats", "--interval", "100ms", "--json").stdout)
    assert usage["memory_resident_bytes"] > 1 << 19

    assert json.loads(host.ingot("stop", "demo", "--json").stdout)["how"] == "powered-off"
    assert "powering off" in host.ingot("logs", "demo").stdout
    host.ingot("start", "demo")
    host.await_console("demo", "the guest is up")
    assert json.loads(host.ingot("kill", "demo", "--json").stdout)["how"] == "killed"
    host.ingot("start", "demo")
    os.kill(host.machines()["demo"]["pid"], signal.SIGKILL)
    eventually(lambda: not host.machines()["demo"]["running"], "an end from outside is seen")
    host.environment["VMWARE_NO_TOOLS"] = "1"
    host.ingot("start", "demo")
    stopped = host.ingot("stop", "--timeout", "500ms", "--kill", "demo", "--json")
    assert json.loads(stopped.stdout)["how"] == "killed", "a guest without tools"
    host.ingot("rm-machine", "--yes", "demo")
    assert not host.folder("demo").exists()


@pytest.mark.parametrize("name", ["iso", "everything"])
def test_every_word_for_virtualbox_is_in_its_manual(name: str) -> None:
    virtualbox = standin("virtualbox")
    text = (GOLDEN / f"virtualbox-{name}.txt").read_text()
    commands = [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]
    assert len(commands) > 4
    for command in commands:
        virtualbox.check(command)
        with pytest.raises(virtualbox.RefusedError):
            virtualbox.check([*command, "--no-such-flag"])


@pytest.mark.parametrize("name", ["iso", "everything"])
def test_every_word_for_vmware_is_one_of_its(name: str) -> None:
    vmware = standin("vmware")
    text = (GOLDEN / f"vmware-{name}.txt").read_text()
    vmx = text.partition("==> machine.vmx\n")[2].partition("==> ")[0].partition("$ ")[0]
    assert vmware.read_vmx(vmx)["displayName"] == "store"
    with pytest.raises(vmware.RefusedError):
        vmware.read_vmx(vmx + 'no.such.key = "1"\n')
    [command] = [shlex.split(line[2:]) for line in text.splitlines() if line.startswith("$ ")]
    assert vmware.parse(command[1:])[0] == "start"
    with pytest.raises(vmware.RefusedError):
        vmware.parse([*command[1:], "--no-such-flag"])


def test_what_goes_wrong_is_told(foreign: Any, tmp_path: Path) -> None:
    host = foreign
    headless = tmp_path / "bin" / "VBoxHeadless"
    headless.write_text("#!/bin/sh\necho 'VT-x is disabled in the BIOS'\nexit 1\n")
    result = host.ingot("run", "demo.iso", "--runner", "virtualbox", "--detach", code=1)
    assert "VT-x is disabled in the BIOS" in result.stderr
    result = host.ingot("run", "demo.iso", "--runner", "virtualbox", "--accel", "kvm", code=2)
    assert "has its own accelerator" in result.stderr
    vmrun = tmp_path / "bin" / "vmrun"
    vmrun.write_text("#!/bin/sh\necho 'Error: Cannot connect to the virtual machine'\nexit 255\n")
    flags = ("--name", "other", "--runner", "vmware", "--detach")
    result = host.ingot("run", "demo.iso", *flags, code=1)
    assert "Cannot connect to the virtual machine" in result.stderr
