"""`ingot lock`: pin every image, package and wheel of an appliance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingot.cli._completion import complete_path
from ingot.cli._images import only_file, session_in, source_options
from ingot.cli._vocabulary import complete_arch
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]…", shell_complete=complete_path)
@click.option("--update", is_flag=True, help="Move the pins to what there is now.")
@click.option(
    "--arch",
    "arches",
    multiple=True,
    metavar="ARCH",
    shell_complete=complete_arch,
    help="Debian's name of an architecture; repeatable. Default: this one.",
)
@source_options
@output_options
def lock(
    printer: Printer,
    *,
    files: tuple[str, ...],
    update: bool,
    arches: tuple[str, ...],
    **options: Any,
) -> None:
    """Pin what FILE is made of (the only .yml file here if not given) in ingot.lock beside it.

    Several FILEs are merged as `ingot build` does it.

    Everything is fetched, so that `ingot build --offline` works afterwards. Pins that are there
    stay as they are, unless --update moves them.

    \b
    Examples:
      ingot lock store.yml
      ingot lock --update store.yml
      ingot lock --arch amd64 --arch arm64 store.yml
    """
    from ingot.appliance.inputs import inputs_folder, read_inputs
    from ingot.appliance.pins import lock_appliance
    from ingot.debian.machine import host_machine

    arguments = files or (str(only_file(Path(), "lock")),)
    with printer.progress() as progress:
        session = session_in(inputs_folder(arguments), options, progress)
        wanted = arches or (host_machine().architecture,)
        rows = lock_appliance(read_inputs(arguments, session), wanted, session, update=update)
    for row in rows:
        document = {
            "reference": row.reference,
            "arch": row.arch,
            "digest": row.digest,
            "packages": row.packages,
        }
        pinned = row.digest or f"{row.packages} packages"
        printer.data(document, f"{row.reference}  {row.arch}  {pinned}")
