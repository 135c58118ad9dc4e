"""What commands that start machines share: `--wait[=TIME]`, the introduction and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli.printer import Printer

if TYPE_CHECKING:
    from ingot.vm.lifecycle.starting import Started
    from ingot.vm.state.folders import MachineFolder
    from ingot.vm.state.processes import Process


_KINDS = {"kvm": "KVM", "tcg": "TCG, without hardware virtualisation", "own": "accelerated"}


class WaitCommand(click.Command):
    """Understands `--wait=TIMEOUT` beside `--wait`, without taking the next word for a time."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = [
            f"--wait-timeout={word.removeprefix('--wait=')}" if word.startswith("--wait=") else word
            for word in args
        ]
        return super().parse_args(ctx, words)


def wait_timeout_s(*, wait: bool, wait_timeout: str | None) -> float | None:
    """Return how long to wait for readiness; None if that was not asked for.

    Raises:
        UsageError: the time is no duration.
    """
    from ingot.base.units import parse_duration
    from ingot.vm.lifecycle.waiting import READY_TIMEOUT_S

    if wait_timeout is not None:
        return parse_duration(wait_timeout)
    return READY_TIMEOUT_S if wait else None


def introduce(printer: Printer, started: Started) -> None:
    """Say what was started, for people."""
    machine, process = started.machine, started.process
    kind = _KINDS[process.accelerator]
    printer.note(
        f"machine {machine.name}: {kind} ({process.accelerator_reason}); {machine.cpus} CPU,"
        f" {machine.memory_mib} MiB; pid {process.pid}"
    )
    if started.earlier_prefix is not None:
        printer.note(f"it now boots {started.spec.prefix} and no longer {started.earlier_prefix}")
    for disk in machine.disks:
        printer.note(f"disk {disk.path}")
    for port in machine.ports:
        printer.note(f"port {port}")


def report(
    printer: Printer,
    folder: MachineFolder,
    process: Process,
    state: str,
    *,
    after_s: float | None = None,
) -> None:
    """Print the machine as a result; `after_s` is how long it took to become so."""
    document: dict[str, Any] = {
        "type": "machine",
        "name": folder.name,
        "state": state,
        "pid": process.pid,
        "accelerator": process.accelerator,
        "accelerator_reason": process.accelerator_reason,
        "folder": str(folder.path),
    }
    text = f"{folder.name} is {state}"
    if after_s is not None:
        document["after_s"] = round(after_s, 3)
        text += f" after {after_s:.1f} s"
    printer.data(document, text)


def await_ready(
    printer: Printer, folder: MachineFolder, process: Process, timeout_s: float
) -> None:
    """Wait until the machine's services are ready, and report it.

    Raises:
        Error: see `lifecycle.wait_ready`.
    """
    import time

    from ingot.cli._machines import require_channels
    from ingot.vm.lifecycle.waiting import wait_ready

    require_channels(folder, "waiting until services are ready")
    began_s = time.monotonic()
    with printer.progress() as progress, progress.task(f"waiting for {folder.name}"):
        wait_ready(folder, process, timeout_s)
    report(printer, folder, process, "ready", after_s=time.monotonic() - began_s)
