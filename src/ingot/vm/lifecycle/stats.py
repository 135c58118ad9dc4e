"""What a running machine uses of its host: processor time, memory, and bytes to and from disks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from ingot.base.errors import ConflictError
from ingot.vm.control import qmp
from ingot.vm.control.qmp import QmpError
from ingot.vm.machine import Disk
from ingot.vm.state.folders import MachineFolder
from ingot.vm.state.processes import Process, is_alive

_T = TypeVar("_T")

_CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class DiskUsage(msgspec.Struct, frozen=True):
    """What the guest read and wrote since the machine was started."""

    path: str
    read_bytes: int
    written_bytes: int


class Usage(NamedTuple):
    """One look at a machine.

    Attributes:
        cpu_s: processor time of the hypervisor since it was started, of all its threads.
        resident_bytes: memory of the host that it occupies now.
        memory_bytes: what its guest was given; None where the hypervisor does not say.
        disks: its disks; empty where the hypervisor does not count.
    """

    cpu_s: float
    resident_bytes: int
    memory_bytes: int | None
    disks: tuple[DiskUsage, ...]


class _Memory(msgspec.Struct, rename="kebab"):
    base_memory: int


class _Counters(msgspec.Struct):
    rd_bytes: int
    wr_bytes: int


class _Block(msgspec.Struct, rename="kebab"):
    stats: _Counters
    node_name: str = ""


def read_usage(folder: MachineFolder, process: Process) -> Usage:
    """Return what the machine uses.

    Raises:
        ConflictError: it has ended.
        QmpError: its monitor does not answer.
    """
    try:
        text = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        pages = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError) as error:
        raise _ended(folder) from error
    spec = folder.read_spec()
    memory_bytes: int | None = None
    disks: tuple[DiskUsage, ...] = ()
    if spec.runner == "qemu":
        memory_bytes = _query(folder.path, "query-memory-size-summary", _Memory).base_memory
        disks = _read_disks(folder.path, spec.disks)
    # Asked last: the numbers read before were then of this very process.
    if not is_alive(process):
        raise _ended(folder)
    # proc(5): fields 14 and 15 are utime and stime; field 4 is the first after the state.
    fields = text.rpartition(")")[2].split()[1:]
    ticks = int(fields[10]) + int(fields[11])
    return Usage(
        cpu_s=ticks / _CLOCK_TICKS_PER_S,
        resident_bytes=int(pages[1]) * _PAGE_BYTES,
        memory_bytes=memory_bytes,
        disks=disks,
    )


def _read_disks(directory: Path, disks: tuple[Disk, ...]) -> tuple[DiskUsage, ...]:
    if not disks:
        return ()
    blocks = _query(directory, "query-blockstats", list[_Block])
    counters = {block.node_name: block.stats for block in blocks}
    return tuple(
        DiskUsage(disk.path, counters[node].rd_bytes, counters[node].wr_bytes)
        for index, disk in enumerate(disks)
        if (node := f"disk{index}") in counters
    )


def _query(directory: Path, command: str, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(qmp.execute(directory, command), kind)
    except msgspec.ValidationError as error:
        raise QmpError(f"machine {directory.name!r}: {command}: {error}") from error


def _ended(folder: MachineFolder) -> ConflictError:
    return ConflictError(
        f"machine {folder.name!r} has ended", hint=f"start it: ingot start {folder.name}"
    )
