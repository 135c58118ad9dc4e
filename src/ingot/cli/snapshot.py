"""`ingot snapshot`: moments of running machines, kept and gone back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._vocabulary import complete_machine
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.vm.lifecycle.snapshots import Snapshot

_COLUMNS = ("snapshot", "created", "size")


@click.group()
def snapshot() -> None:
    """Keep moments of running machines, and go back to them.

    A snapshot holds memory, devices and disks of one moment. A restored machine serves at once,
    without a boot. Its memory may hold secrets: only the owner can read a snapshot.

    \b
    Examples:
      ingot snapshot save store fresh
      ingot kill store
      ingot snapshot restore --yes store fresh
      ingot snapshot ls store
      ingot snapshot rm store fresh
    """


@snapshot.command()
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.argument("snapshot_name", metavar="SNAPSHOT")
@output_options
def save(printer: Printer, *, name: str, snapshot_name: str) -> None:
    """Keep this moment of a running machine, which is paused meanwhile.

    \b
    Examples:
      ingot snapshot save store fresh
    """
    from ingot.cli._machines import machines, snapshots

    with printer.progress() as progress, progress.task(f"saving {name}"):
        saved = snapshots().save(machines().folder(name), snapshot_name)
    printer.data(_document(name, saved), f"{name} is saved as {snapshot_name}")


@snapshot.command()
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.argument("snapshot_name", metavar="SNAPSHOT")
@click.option("--yes", "-y", is_flag=True, help="Do not ask before disks go back.")
@output_options
def restore(printer: Printer, *, name: str, snapshot_name: str, yes: bool) -> None:
    """Start a stopped machine at a kept moment.

    Its disks become what they were, so what was written to them since is lost: that is asked
    first, and without a terminal needs --yes. The guest does not notice the time between; its
    clock goes on from then.

    \b
    Examples:
      ingot snapshot restore store fresh
    """
    from ingot.base.errors import UsageError
    from ingot.cli._machines import machines, snapshots
    from ingot.cli._started import introduce, report
    from ingot.vm.guest.status import read_status
    from ingot.vm.lifecycle.snapshots import read

    folder = machines().folder(name)
    disks = read(folder, snapshot_name).spec.disks
    question = f"Lose what was written to {len(disks)} disk(s) of {name} since?"
    if disks and not printer.confirm(question, yes=yes):
        raise UsageError(
            f"machine {name!r} has {len(disks)} disk(s) that would go back",
            hint=f"say so: ingot snapshot restore --yes {name} {snapshot_name}",
        )
    started = snapshots().restore(folder, snapshot_name)
    introduce(printer, started)
    report(printer, folder, started.process, read_status(folder.status_path).state)


@snapshot.command("ls")
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@output_options
def list_(printer: Printer, *, name: str) -> None:
    """List a machine's snapshots.

    \b
    Examples:
      ingot snapshot ls store
    """
    from ingot.base.errors import Error
    from ingot.base.units import format_size
    from ingot.cli._machines import machines, table
    from ingot.vm.lifecycle.snapshots import names, read

    folder = machines().folder(name)
    documents = []
    for each in names(folder):
        try:
            documents.append(_document(name, read(folder, each)))
        except Error as error:
            # One snapshot of another release must not hide the others.
            printer.warning(error.message)
    if printer.as_json:
        for document in documents:
            printer.data(document, None)
        return
    rows = [(row["snapshot"], row["created"], format_size(row["size_bytes"])) for row in documents]
    printer.data({}, table(_COLUMNS, rows))


@snapshot.command("rm")
@click.argument("name", metavar="MACHINE", shell_complete=complete_machine)
@click.argument("snapshot_names", metavar="SNAPSHOT...", nargs=-1, required=True)
@output_options
def remove(printer: Printer, *, name: str, snapshot_names: tuple[str, ...]) -> None:
    """Remove snapshots.

    \b
    Examples:
      ingot snapshot rm store fresh
    """
    from ingot.cli._machines import machines
    from ingot.vm.lifecycle.snapshots import remove as remove_snapshot

    folder = machines().folder(name)
    for each in snapshot_names:
        remove_snapshot(folder, each)
        printer.data({"type": "snapshot-rm", "name": name, "snapshot": each}, f"{each} removed")


def _document(name: str, snapshot: Snapshot) -> dict[str, Any]:
    from datetime import UTC, datetime

    created = datetime.fromtimestamp(snapshot.created_ns / 1e9, UTC)
    return {
        "type": "snapshot",
        "name": name,
        "snapshot": snapshot.name,
        "created": created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "size_bytes": snapshot.size_bytes,
        "accelerator": snapshot.accelerator,
        "hypervisor": snapshot.hypervisor,
        "disks": [disk.path for disk in snapshot.spec.disks],
    }
