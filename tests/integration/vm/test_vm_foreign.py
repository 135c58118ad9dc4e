"""The order of calls to VirtualBox and VMware, whose programs are stand-ins here that keep a diary.

Neither is in Debian, so what is tested is our side alone: which calls, when, and what is made of
the answers. The calls' words are in tests/golden/runners.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

VBOXMANAGE = """#!/bin/sh
echo "VBoxManage $*" >> "$DIARY"
case $1 in
  unregistervm)
    rm "$DIARY.registered" && exit 0
    echo "VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND" >&2
    exit 1 ;;
  createvm) touch "$DIARY.registered"; rm -f "$DIARY.pid" ;;
  showvminfo) [ ! -e "$DIARY.pid" ] || echo 'VMState="running"' ;;
  controlvm) kill "$(cat "$DIARY.pid")" ;;
esac
"""
VBOXHEADLESS = """#!/bin/sh
echo "VBoxHeadless $*" >> "$DIARY"
echo $$ > "$DIARY.pid"
exec sleep 300
"""
VMRUN = """#!/bin/bash
echo "vmrun $*" >> "$DIARY"
case $3 in
  start) bash -c 'exec -a /usr/lib/vmware-vmx tail -f "$0"' "$4" > /dev/null 2>&1 &
    echo $! > "$DIARY.pid" ;;
  stop) kill "$(cat "$DIARY.pid")" ;;
esac
"""


@pytest.fixture
def diary(host: Any, tmp_path: Path) -> Path:
    programs = {"VBoxManage": VBOXMANAGE, "VBoxHeadless": VBOXHEADLESS, "vmrun": VMRUN}
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    host.environment["DIARY"] = str(tmp_path / "diary")
    host.environment["PATH"] = f"{tmp_path}:{os.environ['PATH']}"
    (host.home / "demo.iso").write_bytes(b"a CD")
    return tmp_path / "diary"


def verbs(diary: Path) -> list[str]:
    calls = [line.split() for line in diary.read_text().splitlines()]
    return [words[3] if words[0] == "vmrun" else words[1] for words in calls]


def test_virtualbox_registers_a_machine_anew_at_each_start(host: Any, diary: Path) -> None:
    host.ingot(
        "run", "demo.iso", "--runner", "virtualbox", "--disk", "size=1M", "--detach", "--data", "x"
    )
    row = host.machines()["demo"]
    assert (row["runner"], row["accelerator"]) == ("virtualbox", "own")
    assert (host.folder("demo") / "disk-0.vmdk").read_text().startswith("# Disk DescriptorFile")
    assert (host.folder("demo") / "config.iso").read_bytes()[0x8001:0x8006] == b"CD001"
    assert "config.iso" in diary.read_text()
    assert verbs(diary)[:3] == ["unregistervm", "createvm", "modifyvm"]
    assert {"--startvm", "showvminfo"} == set(verbs(diary)[-2:])
    for words in (("wait", "demo"), ("exec", "demo", "demo", "true")):
        assert "VirtualBox has none" in host.ingot(*words, code=2).stderr

    stopped = json.loads(host.ingot("stop", "demo", "--json").stdout)
    assert stopped["how"] == "powered-off"
    for words in (("start", "--wait", "demo"), ("run", "demo", "--wait")):
        assert "VirtualBox has none" in host.ingot(*words, code=2).stderr
        assert host.machines()["demo"]["state"] == "stopped", "nothing was started for it"
    assert diary.read_text().splitlines()[-1].endswith(" acpipowerbutton")
    diary.unlink()
    host.ingot("start", "demo")
    assert verbs(diary)[:2] == ["unregistervm", "createvm"]
    host.ingot("kill", "demo")
    assert diary.read_text().splitlines()[-1].endswith(" poweroff")
    host.ingot("rm-machine", "--yes", "demo")
    assert verbs(diary)[-1] == "unregistervm"


def test_vmware_starts_a_file(host: Any, diary: Path) -> None:
    host.ingot("run", "demo.iso", "--runner", "vmware", "--detach")
    row = host.machines()["demo"]
    assert (row["runner"], row["ip"], row["running"]) == ("vmware", None, True)
    assert row["pid"] == int(diary.with_suffix(".pid").read_text())
    assert "vmxnet3" in (host.folder("demo") / "machine.vmx").read_text()
    host.ingot("stop", "demo")
    host.ingot("start", "demo")
    host.ingot("kill", "demo")
    lines = diary.read_text().splitlines()
    assert verbs(diary) == ["start", "stop", "start", "stop"]
    assert (lines[1].split()[-1], lines[3].split()[-1]) == ("soft", "hard")


def test_what_goes_wrong_is_told(host: Any, diary: Path) -> None:
    headless = diary.parent / "VBoxHeadless"
    headless.write_text("#!/bin/sh\necho 'VT-x is disabled in the BIOS'\nexit 1\n")
    (diary.parent / "VBoxManage").write_text('#!/bin/sh\n[ "$1" != showvminfo ] || echo off\n')
    result = host.ingot("run", "demo.iso", "--runner", "virtualbox", "--detach", code=1)
    assert "VT-x is disabled in the BIOS" in result.stderr
    result = host.ingot("run", "demo.iso", "--runner", "virtualbox", "--accel", "kvm", code=2)
    assert "has its own accelerator" in result.stderr
