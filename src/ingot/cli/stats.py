"""`ingot stats`: what running machines use of the host."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.cli._several import Tally
    from ingot.vm.lifecycle.stats import Usage
    from ingot.vm.state.folders import MachineFolder

_COLUMNS = ("machine", "cpu", "cpu time", "memory", "of", "read", "written")
_INTERVAL_S = 1.0
_INTERVAL_S_MAX = 3600.0


@click.command()
@click.argument("names", metavar="[MACHINE]...", nargs=-1, shell_complete=complete_machine)
@click.option(
    "--interval",
    metavar="DURATION",
    help="Over which time the processor's use is measured.  [default: 1s]",
)
@output_options
def stats(printer: Printer, *, names: tuple[str, ...], interval: str | None) -> None:
    """Show what running machines use of this host: all of them, or those named.

    CPU is in percent of one processor. MEMORY is what the machine's process occupies on the host,
    the hypervisor's own included; OF is what its guest was given. READ and WRITTEN are what the
    guest moved from and to its disks since the machine was started.

    \b
    Examples:
      ingot stats
      ingot stats --interval 10s --json store
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration
    from ingot.cli._machines import table
    from ingot.cli._several import Tally, chosen

    interval_s = _INTERVAL_S if interval is None else parse_duration(interval)
    if not 0 < interval_s <= _INTERVAL_S_MAX:
        raise UsageError(f"{interval} is no interval to measure over", hint="as in --interval 5s")
    folders = chosen(names, every=not names, running=True)
    tally = Tally(printer, len(folders))
    rows = _measure(folders, tally, interval_s)
    if printer.as_json:
        for row in rows:
            printer.data(row, None)
    else:
        printer.data({}, table(_COLUMNS, [_cells(row) for row in rows]))
    tally.conclude("measured")


def _measure(folders: list[MachineFolder], tally: Tally, interval_s: float) -> list[dict[str, Any]]:
    from ingot.vm.lifecycle.stats import read_usage

    before: list[tuple[MachineFolder, float, Usage]] = []
    for folder in folders:
        with tally.one():
            process = folder.running()
            before.append((folder, time.monotonic(), read_usage(folder, process)))
    if before:
        time.sleep(interval_s)
    rows = []
    for folder, began_s, first in before:
        with tally.one():
            last = read_usage(folder, folder.running())
            percent = 100 * (last.cpu_s - first.cpu_s) / (time.monotonic() - began_s)
            rows.append(_row(folder, last, percent))
    return rows


def _row(folder: MachineFolder, usage: Usage, cpu_percent: float) -> dict[str, Any]:
    import msgspec

    return {
        "type": "stats",
        "name": folder.name,
        "cpu_percent": round(max(0.0, cpu_percent), 1),
        "cpu_s": round(usage.cpu_s, 2),
        "memory_resident_bytes": usage.resident_bytes,
        "memory_bytes": usage.memory_bytes,
        "disks": [msgspec.structs.asdict(disk) for disk in usage.disks],
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    from ingot.base.units import format_duration, format_size

    return (
        row["name"],
        f"{row['cpu_percent']:.1f}%",
        format_duration(row["cpu_s"]),
        format_size(row["memory_resident_bytes"]),
        "-" if row["memory_bytes"] is None else format_size(row["memory_bytes"]),
        *(_traffic(row, field) for field in ("read_bytes", "written_bytes")),
    )


def _traffic(row: dict[str, Any], field: str) -> str:
    from ingot.base.units import format_size

    # Where the guest's memory is not told, neither is what its disks do.
    if row["memory_bytes"] is None:
        return "-"
    return format_size(sum(disk[field] for disk in row["disks"]))
