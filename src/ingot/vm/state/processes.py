"""The process that a machine is, told apart from any later owner of its id."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingot.vm.machine import Accelerator

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """The hypervisor process of a running machine, told apart from any later owner of its pid.

    Attributes:
        start_ticks: field 22 of `/proc/PID/stat` (proc(5)), clock ticks since the host booted.
        boot_id: the host's boot in which the ticks count.
        started_ns: Unix time of the start.
        accelerator_reason: why this accelerator, for people.
    """

    pid: int
    start_ticks: int
    boot_id: str
    started_ns: int
    accelerator: Accelerator
    accelerator_reason: str


def boot_id() -> str:
    """Return the identity of the host's current boot."""
    return _BOOT_ID.read_text().strip()


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks since boot; None if it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name stands in parentheses and may hold any character, parentheses included.
    state, *fields = text.rpartition(")")[2].split()
    # A zombie has ended; only its parent has not asked yet.
    return None if state in {"Z", "X"} else int(fields[18])


def is_alive(process: Process) -> bool:
    """Tell whether this very process still runs, not another that got its pid."""
    return process.boot_id == boot_id() and start_ticks(process.pid) == process.start_ticks


def wait_for_end(process: Process, timeout_s: float) -> bool:
    """Wait until the process has ended; return False if it still runs after `timeout_s`."""
    with _pidfd(process) as descriptor:
        if descriptor is None:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(max(0.0, timeout_s) * 1000))


def kill(process: Process) -> None:
    """End the process at once; nothing happens if it has ended already."""
    with _pidfd(process) as descriptor:
        if descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)


@contextlib.contextmanager
def _pidfd(process: Process) -> Iterator[int | None]:
    """Yield a descriptor of exactly this process, or None if it has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        yield None
        return
    try:
        # Checked after opening: the descriptor keeps naming the process it was opened for.
        yield descriptor if is_alive(process) else None
    finally:
        os.close(descriptor)
