"""`ingot rm-machine`: removing stopped machines and the disks in their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.state import MachineFolder


@click.command("rm-machine")
@click.argument("names", metavar="MACHINE...", nargs=-1, required=True)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before disks are deleted.")
@output_options
def rm_machine(printer: Printer, *, names: tuple[str, ...], yes: bool) -> None:
    """Remove stopped machines, with their logs and the disks Ingot made for them.

    Disks given as `--disk FILE` stay. Deleting a disk asks first; without a terminal it needs
    --yes.

    \b
    Examples:
      ingot rm-machine store
      ingot rm-machine --yes store
    """
    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines
    from ingot.vm.lifecycle import remove

    for name in names:
        folder = machines().folder(name)
        disks = _own_disks(folder)
        question = f"Delete machine {name} and its {len(disks)} disk(s)?"
        if disks and not printer.confirm(question, yes=yes):
            raise UsageError(
                f"machine {name!r} has {len(disks)} disk(s) that would be deleted",
                hint=f"say so: ingot rm-machine --yes {name}",
            )
        remove(folder)
        document = {"type": "rm-machine", "name": name, "disks": disks}
        printer.data(document, f"{name} removed")


def _own_disks(folder: MachineFolder) -> list[str]:
    spec = folder.read_spec()
    inside = f"{folder.path}/"
    return [disk.path for disk in spec.disks if disk.path.startswith(inside)]
