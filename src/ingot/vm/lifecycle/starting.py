"""Starting a machine: the checks, the spec that is kept, and the process that is recorded."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ingot.base.atomic import write_atomically
from ingot.base.clock import Clock
from ingot.base.errors import ConflictError, Error, UsageError
from ingot.vm.build import Build, Wanted, exists, read_build
from ingot.vm.disks.config_drive import CONFIG_DRIVE, config_drive
from ingot.vm.disks.files import prepare
from ingot.vm.disks.shares import check_shares
from ingot.vm.machine import (
    KernelBoot,
    Machine,
    MachineSpec,
    MetadataWay,
    RunnerName,
    on_config_drive,
)
from ingot.vm.networks.cards import complete
from ingot.vm.networks.ports import check_ports_free, overlap, written
from ingot.vm.networks.taps import check_interfaces
from ingot.vm.request import Request, apply, machine_name, networks_of
from ingot.vm.runners import accel
from ingot.vm.runners.contract import Launched, Runner
from ingot.vm.runners.qemu_boards import needs_uefi
from ingot.vm.state.folders import MachineFolder, Machines
from ingot.vm.state.processes import Process, boot_id, start_ticks

_RUN_FILES = ("qmp.sock", "console.sock", "agent.sock", "qemu.pid")


@dataclass(frozen=True, slots=True)
class Started:
    """A machine that was just started.

    Attributes:
        launched: its process, as this one's child if it is one.
        earlier_prefix: the build it booted before, if that was another.
    """

    folder: MachineFolder
    spec: MachineSpec
    machine: Machine
    process: Process
    launched: Launched
    earlier_prefix: str | None


class Starter:
    """Starts machines.

    Args:
        machines: where they are kept.
        runners: gives the hypervisor of a name.
        host: what is known of this host's KVM.
        clock: for the time of the start.
    """

    def __init__(
        self,
        machines: Machines,
        *,
        runners: Callable[[RunnerName], Runner],
        host: accel.Host,
        clock: Clock,
    ) -> None:
        self._machines = machines
        self.runners = runners
        self._host = host
        self._clock = clock

    def start(self, request: Request) -> Started:
        """Start the machine that `request` means, making it if it is new.

        Raises:
            ConflictError: it runs already, or a port or disk is taken.
            NotFoundError: there is no such build or disk.
            UsageError, MissingToolError, Error: see `Runner`, `Request` and `disks.prepare`.
        """
        folder = self._machines.folder(machine_name(request))
        with folder.locked(create=True):
            try:
                return self._start_locked(request, folder)
            finally:
                if not folder.exists():
                    _discard(folder)

    def _start_locked(self, request: Request, folder: MachineFolder) -> Started:
        refuse_running(folder)
        _refuse_half_restored(folder)
        kept = folder.read_spec() if folder.exists() else None
        spec = apply(
            request,
            kept,
            build=_find_build(request, kept),
            directory=folder.path,
            uuid=str(uuid.uuid4()),
        )
        runner = self.runners(spec.runner)
        runner.available()
        machine, choice = self.resolve(spec, folder)
        self.admit(spec, machine, folder)
        for disk in spec.disks:
            prepare(disk)
        if request.metadata:
            write_atomically(folder.metadata_path, request.metadata, mode=0o600)
        folder.write_spec(spec)
        if not spec.has_metadata:
            folder.metadata_path.unlink(missing_ok=True)
        _write_config_drive(machine, folder)
        if kept is not None and kept.runner != spec.runner:
            self.runners(kept.runner).forget(folder.path)
        clear_last_run(folder)
        launched = runner.run(machine)
        process = self.record(launched.pid, choice, folder)
        earlier = kept.prefix if kept is not None and kept.prefix != spec.prefix else None
        return Started(folder, spec, machine, process, launched, earlier)

    def resolve(self, spec: MachineSpec, folder: MachineFolder) -> tuple[Machine, accel.Choice]:
        """Return the machine that the spec means on this host now.

        Raises:
            Error: see `read_build`.
        """
        runner = self.runners(spec.runner)
        build = read_build(Path(spec.prefix), Wanted(runner.media, spec.boot, spec.uefi))
        kernel = build.boot.kernel if isinstance(build.boot, KernelBoot) else None
        if runner.uses_kvm:
            choice = accel.foreign(spec.accelerator, build.arch) or accel.choose(
                spec.accelerator, kernel, self._host
            )
        elif spec.accelerator == "auto":
            choice = accel.Choice("own", f"{runner.title} has its own")
        else:
            raise UsageError(f"--accel {spec.accelerator}: {runner.title} has its own accelerator")
        return resolve(spec, build, choice, folder.path, runner.metadata_ways[0]), choice

    def admit(self, spec: MachineSpec, machine: Machine, folder: MachineFolder) -> None:
        """Make sure that the host has what the machine needs, and no other machine uses it.

        Raises:
            ConflictError, NotFoundError, UsageError: the message names the flag.
        """
        runner = self.runners(spec.runner)
        runner.validate(machine)
        _refuse_taken(spec, folder, self._machines)
        check_ports_free(spec.ports)
        check_interfaces(machine.networks, runner.bridge_meaning)
        check_shares(machine.shares)

    def record(self, pid: int, choice: accel.Choice, folder: MachineFolder) -> Process:
        """Keep which process the machine is.

        Raises:
            Error: it has ended already.
        """
        ticks = start_ticks(pid)
        if ticks is None:
            raise Error(
                f"machine {folder.name!r} ended at once", hint=f"see {folder.hypervisor_log}"
            )
        process = Process(
            pid=pid,
            start_ticks=ticks,
            boot_id=boot_id(),
            started_ns=self._clock.now_ns(),
            accelerator=choice.accelerator,
            accelerator_reason=choice.reason,
        )
        folder.write_process(process)
        return process


def refuse_running(folder: MachineFolder) -> None:
    """Raise ConflictError if the machine runs."""
    if folder.process() is not None:
        raise ConflictError(
            f"machine {folder.name!r} is running",
            hint=f"stop it first: ingot stop {folder.name}",
        )


def _refuse_half_restored(folder: MachineFolder) -> None:
    try:
        snapshot = folder.restoring_path.read_text()
    except FileNotFoundError:
        return
    raise ConflictError(
        f"the disks of machine {folder.name!r} are of different moments: going back to its snapshot"
        f" {snapshot!r} was cut short",
        hint=f"finish it: ingot snapshot restore {folder.name} {snapshot}",
    )


def resolve(
    spec: MachineSpec,
    build: Build,
    choice: accel.Choice,
    directory: Path,
    way: MetadataWay = "fw-cfg",
) -> Machine:
    """Join what was asked for with what the build and the host give."""
    networks = networks_of(spec)
    address, address6 = complete(spec, networks)
    return Machine(
        name=spec.name,
        uuid=spec.uuid,
        directory=directory,
        arch=build.arch,
        boot=build.boot,
        uefi=build.uefi or needs_uefi(build.arch),
        cpus=spec.cpus or 1,
        memory_mib=spec.memory_mib or build.memory_mib,
        disks=spec.disks,
        ports=spec.ports,
        networks=networks,
        address=address,
        address6=address6,
        has_metadata=spec.has_metadata,
        metadata_way=spec.metadata_way or way,
        shares=spec.shares,
        accelerator=choice.accelerator,
    )


def _write_config_drive(machine: Machine, folder: MachineFolder) -> None:
    path = folder.path / CONFIG_DRIVE
    if on_config_drive(machine):
        drive = config_drive(machine, folder.metadata_path.read_bytes())
        write_atomically(path, drive, mode=0o600)
    else:
        path.unlink(missing_ok=True)


def _find_build(request: Request, kept: MachineSpec | None) -> Path | None:
    if request.prefix is None:
        return None
    prefix = Path(request.prefix).absolute()
    # `ingot run store` from another folder means the machine of that name, if there is one.
    if kept is not None and request.prefix == prefix.name and not exists(prefix):
        return None
    return prefix


def _refuse_taken(spec: MachineSpec, folder: MachineFolder, machines: Machines) -> None:
    for other in machines.folders():
        if other.name != folder.name and other.process() is not None:
            _refuse_shared(spec, other.read_spec())


def _refuse_shared(spec: MachineSpec, theirs: MachineSpec) -> None:
    own_disks = {os.path.realpath(disk.path): disk.path for disk in spec.disks}
    stop_it = f"stop that machine first: ingot stop {theirs.name}"
    for disk in theirs.disks:
        if path := own_disks.get(os.path.realpath(disk.path)):
            raise ConflictError(f"disk {path} is in use by machine {theirs.name!r}", hint=stop_it)
    for port in spec.ports:
        if any(overlap(port, taken) for taken in theirs.ports):
            raise ConflictError(
                f"--publish {written(port)}: host port {port.host_port} is"
                f" published by machine {theirs.name!r}",
                hint=f"publish another host port, or stop it: ingot stop {theirs.name}",
            )
    taps = {network.interface for network in networks_of(theirs) if network.kind == "tap"}
    for network in networks_of(spec):
        if network.kind == "tap" and network.interface in taps:
            raise ConflictError(
                f"--network tap={network.interface}: in use by machine {theirs.name!r}",
                hint=stop_it,
            )


def clear_last_run(folder: MachineFolder) -> None:
    """Put the last run's files aside, so that what is read from now on is of this run."""
    with contextlib.suppress(FileNotFoundError):
        os.replace(folder.console_log, folder.previous_console_log)
    for name in (*_RUN_FILES, folder.process_path.name, folder.status_path.name):
        (folder.path / name).unlink(missing_ok=True)


def _discard(folder: MachineFolder) -> None:
    """Take away the folder of a machine that never came to be; keep it if a disk is in it."""
    names = set(os.listdir(folder.path))
    if names <= {"lock"}:
        folder.remove()
