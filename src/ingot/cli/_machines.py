"""What the machine commands share: where machines are kept, who runs them, how they are shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ingot.base import paths
from ingot.base.clock import SystemClock
from ingot.base.errors import UsageError
from ingot.vm.lifecycle.snapshots import Snapshots
from ingot.vm.lifecycle.starting import Starter
from ingot.vm.runners import accel
from ingot.vm.runners.choice import runner_named
from ingot.vm.runners.contract import Runner
from ingot.vm.runners.qemu_boards import PC
from ingot.vm.state.folders import MachineFolder, Machines
from ingot.vm.state.processes import boot_id


def machines() -> Machines:
    """Return the user's machines."""
    return Machines(paths.state_dir() / "machines")


def runner_of(folder: MachineFolder) -> Runner:
    """Return the hypervisor that a machine runs on.

    Raises:
        NotFoundError: there is no such machine.
    """
    return runner_named(folder.read_spec().runner)


def require_channels(folder: MachineFolder, what: str) -> None:
    """Make sure that the guest has ports to the host.

    Raises:
        UsageError: its hypervisor has none; `what` needs them.
        NotFoundError: there is no such machine.
    """
    refuse_without_channels(folder, runner_of(folder), what)


def refuse_without_channels(folder: MachineFolder, runner: Runner, what: str) -> None:
    """Make sure that guests of a hypervisor have ports to the host.

    Raises:
        UsageError: they have none; `what` needs them.
    """
    if not runner.has_channels:
        raise UsageError(
            f"{what} needs ports between guest and host, and {runner.title} has none"
            f" (machine {folder.name!r})",
            hint=f"'ingot logs {folder.name}' shows the console; or run it on qemu or libvirt",
        )


def starter() -> Starter:
    """Return what starts machines on this host."""
    host = accel.Host(
        cpuinfo=Path("/proc/cpuinfo"),
        device=Path("/dev/kvm"),
        boot_id=boot_id(),
        program=PC.program,
        cache=paths.cache_dir() / "kvm-probe.json",
        kernel=Path(f"/boot/vmlinuz-{os.uname().release}"),
    )
    return Starter(machines(), runners=runner_named, host=host, clock=SystemClock())


def snapshots() -> Snapshots:
    """Return what keeps moments of machines on this host."""
    return Snapshots(starter(), SystemClock())


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows below their headings, each column as wide as its widest cell."""
    lines = [[column.upper() for column in columns], *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)
