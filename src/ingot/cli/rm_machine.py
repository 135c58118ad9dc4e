"""`ingot rm-machine`: removing stopped machines and the disks in their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.state.folders import MachineFolder


@click.command("rm-machine")
@click.argument(
    "names", metavar="MACHINE...", nargs=-1, required=True, shell_complete=complete_machine
)
@click.option(
    "--yes", "-y", is_flag=True, help="Do not ask before disks and snapshots are deleted."
)
@output_options
def rm_machine(printer: Printer, *, names: tuple[str, ...], yes: bool) -> None:
    """Remove stopped machines, with their logs, their snapshots and the disks made for them.

    Disks given as `--disk FILE` stay. Deleting a disk or a snapshot asks first; without a terminal
    it needs --yes.

    \b
    Examples:
      ingot rm-machine store
      ingot rm-machine --yes store
    """
    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines, runner_of
    from ingot.vm.lifecycle.snapshots import names as snapshot_names
    from ingot.vm.lifecycle.stopping import remove

    for name in names:
        folder = machines().folder(name)
        disks, snapshots = _own_disks(folder), snapshot_names(folder)
        counts = {"disk(s)": len(disks), "snapshot(s)": len(snapshots)}
        lost = " and ".join(f"{count} {what}" for what, count in counts.items() if count)
        if lost and not printer.confirm(f"Delete machine {name} and its {lost}?", yes=yes):
            raise UsageError(
                f"machine {name!r} has {lost} that would be deleted",
                hint=f"say so: ingot rm-machine --yes {name}",
            )
        remove(folder, runner_of(folder))
        document = {"type": "rm-machine", "name": name, "disks": disks, "snapshots": snapshots}
        printer.data(document, f"{name} removed")


def _own_disks(folder: MachineFolder) -> list[str]:
    spec = folder.read_spec()
    inside = f"{folder.path}/"
    return [disk.path for disk in spec.disks if disk.path.startswith(inside)]
