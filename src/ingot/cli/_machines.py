"""What the machine commands share: where machines are kept, who runs them, how they are shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ingot.base import paths
from ingot.base.clock import SystemClock
from ingot.vm import accel
from ingot.vm.runners.contract import Runner
from ingot.vm.runners.qemu import QemuRunner
from ingot.vm.runners.qemu_command import PROGRAM
from ingot.vm.snapshots import Snapshots
from ingot.vm.starting import Starter
from ingot.vm.state import Machines, boot_id


def machines() -> Machines:
    """Return the user's machines."""
    return Machines(paths.state_dir() / "machines")


def runner() -> Runner:
    """Return the hypervisor of this host."""
    return QemuRunner()


def starter() -> Starter:
    """Return what starts machines on this host."""
    host = accel.Host(
        cpuinfo=Path("/proc/cpuinfo"),
        device=Path("/dev/kvm"),
        boot_id=boot_id(),
        program=PROGRAM,
        cache=paths.cache_dir() / "kvm-probe.json",
        kernel=Path(f"/boot/vmlinuz-{os.uname().release}"),
    )
    return Starter(machines(), runner=runner(), host=host, clock=SystemClock())


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
