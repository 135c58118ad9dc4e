"""Starting, stopping and removing, with a runner whose machines are `sleep` processes."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.base.errors import ConflictError, Error, MissingToolError, NotFoundError, UsageError
from ingot.vm.build import Medium
from ingot.vm.lifecycle import stopping
from ingot.vm.lifecycle.starting import Started, Starter
from ingot.vm.lifecycle.stopping import PowerDown, remove, stop_all
from ingot.vm.lifecycle.waiting import last_words, wait_ready
from ingot.vm.machine import BridgeMeaning, ImageBoot, KernelBoot, Machine, MetadataWay, RunnerName
from ingot.vm.networks.ports import parse_publish
from ingot.vm.request import Request
from ingot.vm.runners.accel import Host
from ingot.vm.runners.contract import Launched, Plan, Runner
from ingot.vm.state.folders import Machines
from ingot.vm.state.processes import Process, kill, wait_for_end


class SleepRunner:
    """Machines that do nothing; the power button ends those that listen."""

    name: RunnerName = "qemu"
    title = "Sleep"
    metadata_ways: tuple[MetadataWay, ...] = ("fw-cfg", "cd")
    uses_kvm = True
    bridge_meaning: BridgeMeaning = "bridge"
    has_channels = True
    media: tuple[Medium, ...] = ("kernel", "iso")

    def __init__(self) -> None:
        self.installed = True
        self.listens = True
        self.deaf: set[Path] = set()
        self.pressed = 0
        self.forgotten: list[Path] = []
        self.children: list[tuple[Path, subprocess.Popen[bytes]]] = []

    def available(self) -> None:
        if not self.installed:
            raise MissingToolError("sleep is not installed")

    def validate(self, machine: Machine) -> None:
        if machine.cpus > 2:
            raise UsageError("no more than two")

    def plan(self, machine: Machine) -> Plan:
        return Plan({}, (("sleep", "60"),))

    def run(self, machine: Machine) -> Launched:
        child = subprocess.Popen(self.plan(machine).commands[0])
        self.children.append((machine.directory, child))
        return Launched(child.pid, child)

    def kill(self, directory: Path, process: Process) -> None:
        kill(process)

    def forget(self, directory: Path) -> None:
        self.forgotten.append(directory)

    def power_down(self, directory: Path) -> None:
        self.pressed += 1
        if not self.listens or directory in self.deaf:
            raise Error("it does not answer")
        next(child for folder, child in self.children if folder == directory).terminate()


class FixedClock:
    def now_ns(self) -> int:
        return 1_700_000_000_000_000_000

    def monotonic_s(self) -> float:
        return 0.0


@pytest.fixture
def runner() -> Iterator[SleepRunner]:
    made = SleepRunner()
    yield made
    for _, child in made.children:
        child.kill()
        child.wait()


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    return Machines(tmp_path / "machines")


@pytest.fixture
def starter(tmp_path: Path, machines: Machines, runner: SleepRunner) -> Starter:
    host = Host(
        cpuinfo=tmp_path / "cpuinfo",
        device=tmp_path / "kvm",
        boot_id="boot",
        program="qemu",
        cache=tmp_path / "probe",
        kernel=tmp_path / "vmlinuz",
    )
    checked: Runner = runner
    return Starter(machines, runners=lambda name: checked, host=host, clock=FixedClock())


@pytest.fixture
def build(tmp_path: Path) -> str:
    for suffix, text in {"kernel": "k", "initrd.img": "i", "cmdline": "quiet"}.items():
        (tmp_path / f"demo-{suffix}").write_text(text)
    return str(tmp_path / "demo")


def start(starter: Starter, build: str, **flags: object) -> Started:
    return starter.start(Request(prefix=build, **flags))  # type: ignore[arg-type] # flags of a test


def stop(started: Started, runner: SleepRunner, timeout_s: float = 10) -> str:
    down = PowerDown(started.folder, started.process, runner, timeout_s)
    [(stopped, ending)] = stop_all([down])
    assert stopped is down
    return ending


def test_a_start_records_the_process_and_the_spec(
    starter: Starter, build: str, machines: Machines
) -> None:
    started = start(starter, build, memory_mib=256, disks=("size=1M",))
    folder = machines.folder("demo")
    assert folder.process() == started.process
    assert started.process.pid == started.launched.pid
    assert started.process.started_ns == 1_700_000_000_000_000_000
    assert started.process.accelerator == "tcg"
    assert folder.read_spec() == started.spec
    assert (started.machine.memory_mib, started.machine.cpus) == (256, 1)
    assert isinstance(started.machine.boot, KernelBoot)
    assert started.machine.boot.command_line == "quiet"
    assert (folder.path / "disk-0.img").stat().st_size == 1 << 20


def test_an_image_is_booted_and_its_firmware_kept(
    starter: Starter, machines: Machines, runner: SleepRunner, tmp_path: Path
) -> None:
    (tmp_path / "other.iso").write_bytes(b"image")
    started = starter.start(Request(prefix=str(tmp_path / "other.iso"), uefi=True))
    assert started.machine.boot == ImageBoot(tmp_path / "other.iso", "iso")
    assert started.machine.uefi
    stop(started, runner)
    again = starter.start(Request(name="other"))
    assert (again.machine.boot, again.machine.uefi) == (started.machine.boot, True)
    stop(again, runner)
    assert not starter.start(Request(name="other", uefi=False)).machine.uefi


def test_metadata_is_kept_for_the_owner_s_eyes_until_it_is_taken_away(
    starter: Starter, build: str, runner: SleepRunner
) -> None:
    started = start(starter, build, metadata=b"secret")
    path = started.folder.metadata_path
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"secret", 0o600)
    stop(started, runner)
    again = starter.start(Request(name="demo"))
    assert again.machine.has_metadata
    assert path.read_bytes() == b"secret"
    stop(again, runner)
    without = starter.start(Request(name="demo", metadata=b""))
    assert not without.machine.has_metadata
    assert not path.exists()
    stop(without, runner)
    with pytest.raises(UsageError, match="more than 1 MiB"):
        starter.start(Request(name="demo", metadata=bytes((1 << 20) + 1)))
    assert not path.exists()


def test_a_reset_takes_the_metadata_away(starter: Starter, build: str, runner: SleepRunner) -> None:
    started = start(starter, build, metadata=b"secret")
    stop(started, runner)
    assert not starter.start(Request(name="demo", reset=True)).machine.has_metadata
    assert not started.folder.metadata_path.exists()


def test_a_refusal_leaves_nothing_behind(
    starter: Starter, build: str, machines: Machines, runner: SleepRunner
) -> None:
    with pytest.raises(UsageError, match="no more than two"):
        start(starter, build, cpus=3, disks=("size=1M",))
    runner.installed = False
    with pytest.raises(MissingToolError):
        start(starter, build)
    assert list(machines.root.iterdir()) == []
    assert runner.children == []


def test_a_refusal_changes_nothing_of_a_machine_that_exists(
    starter: Starter, build: str, machines: Machines, runner: SleepRunner
) -> None:
    started = start(starter, build, memory_mib=256)
    stop(started, runner)
    with pytest.raises(UsageError):
        start(starter, build, cpus=3)
    assert machines.folder("demo").read_spec() == started.spec


def test_a_disk_outlives_the_refusal_that_followed_its_making(
    starter: Starter, build: str, machines: Machines
) -> None:
    with pytest.raises(NotFoundError):
        start(starter, build, disks=("size=1M", "/absent/disk.img"))
    assert (machines.folder("demo").path / "disk-0.img").exists()
    assert not machines.folder("demo").exists()


def test_what_another_machine_has_is_refused_while_it_runs(
    starter: Starter, build: str, machines: Machines, runner: SleepRunner, tmp_path: Path
) -> None:
    disk = f"{tmp_path}/shared.img,size=1M"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = parse_publish(f"{probe.getsockname()[1]}:80")
    first = start(starter, build, name="a", disks=(disk,), ports=(port,))
    with pytest.raises(ConflictError, match="is in use by machine 'a'"):
        start(starter, build, name="b", disks=(disk,))
    with pytest.raises(ConflictError, match="is published by machine 'a'"):
        start(starter, build, name="b", ports=(port,))
    stop(first, runner)
    start(starter, build, name="b", disks=(disk,))


def test_a_name_alone_starts_from_any_folder(
    starter: Starter, build: str, runner: SleepRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = start(starter, build)
    stop(started, runner)
    monkeypatch.chdir("/")
    again = starter.start(Request(prefix="demo"))
    assert again.spec == started.spec
    assert again.earlier_prefix is None


def test_a_machine_that_listens_powers_off(
    starter: Starter, build: str, runner: SleepRunner
) -> None:
    started = start(starter, build)
    assert stop(started, runner) == "powered-off"
    assert runner.pressed == 1
    assert started.launched.child is not None
    assert started.launched.child.wait() == -signal.SIGTERM


def test_the_button_is_pressed_again_until_the_guest_says_it_stops(
    starter: Starter, build: str, runner: SleepRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_PRESS_PERIOD_S", 0.0)
    runner.listens = False
    started = start(starter, build)
    down = PowerDown(started.folder, started.process, runner, 60)
    down.step()
    down.step()
    assert runner.pressed == 2
    started.folder.status_path.write_text('{"event":"stopping"}\n')
    down.step()
    assert runner.pressed == 2
    assert not down.killed


def test_a_machine_that_does_not_listen_is_killed(
    starter: Starter, build: str, runner: SleepRunner
) -> None:
    runner.listens = False
    started = start(starter, build)
    assert stop(started, runner, 0.3) == "killed"
    assert wait_for_end(started.process, 0)


def test_no_time_at_all_means_no_button(starter: Starter, build: str, runner: SleepRunner) -> None:
    started = start(starter, build)
    assert stop(started, runner, 0) == "killed"
    assert runner.pressed == 0


def test_several_stop_side_by_side_and_the_first_to_end_is_told_first(
    starter: Starter, build: str, runner: SleepRunner
) -> None:
    deaf = start(starter, build, name="deaf")
    good = start(starter, build, name="good")
    runner.deaf.add(deaf.folder.path)
    downs = [PowerDown(one.folder, one.process, runner, 0.5) for one in (deaf, good)]
    endings = [(down.folder.name, ending) for down, ending in stop_all(downs)]
    assert endings == [("good", "powered-off"), ("deaf", "killed")]


def test_a_process_that_survives_its_killing_is_told_after_a_while(
    starter: Starter, build: str, runner: SleepRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "_KILL_TIMEOUT_S", 0.1)
    monkeypatch.setattr(runner, "kill", lambda directory, process: None)
    assert stop(start(starter, build), runner, 0) == "unkillable"


def test_a_wait_that_fails_shows_the_console_without_its_control_characters(
    starter: Starter, build: str
) -> None:
    started = start(starter, build)
    started.folder.console_log.write_bytes(b"boot\r\n\x1b[31mpanic\x07\r\n")
    started.folder.status_path.write_text('{"event":"failed","step":"s","reason":"r"}\n')
    with pytest.raises(Error) as caught:
        wait_ready(started.folder, started.process, 5)
    assert caught.value.message == (
        "machine 'demo': the boot failed: s: r\n  | boot\n  | [31mpanic"
    )
    assert caught.value.hint is not None
    assert "ingot logs demo" in caught.value.hint


def test_a_wait_that_succeeds_returns_the_status(starter: Starter, build: str) -> None:
    started = start(starter, build)
    started.folder.status_path.write_text('{"event":"ready"}\n')
    assert wait_ready(started.folder, started.process, 5).state == "ready"
    assert last_words(started.folder) == ""


def test_only_a_stopped_machine_is_removed(
    starter: Starter, build: str, runner: SleepRunner, machines: Machines
) -> None:
    started = start(starter, build, disks=("size=1M",))
    with pytest.raises(ConflictError, match="is running"):
        remove(started.folder, runner)
    os.kill(started.process.pid, signal.SIGKILL)
    assert wait_for_end(started.process, 10)
    remove(started.folder, runner)
    assert list(machines.root.iterdir()) == []
