"""`ingot lock`: pin every image, package and wheel of an appliance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingot.cli._images import make_session, only_file, source_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--update", is_flag=True, help="Move the pins to what there is now.")
@click.option(
    "--arch",
    "arches",
    multiple=True,
    metavar="ARCH",
    help="Debian's name of an architecture; repeatable. Default: this one.",
)
@source_options
@output_options
def lock(
    printer: Printer, *, file: Path | None, update: bool, arches: tuple[str, ...], **options: Any
) -> None:
    """Pin what FILE is made of (the only .yml file here if not given) in ingot.lock beside it.

    Everything is fetched, so that `ingot build --offline` works afterwards. Pins that are there
    stay as they are, unless --update moves them.

    \b
    Examples:
      ingot lock store.yml
      ingot lock --update store.yml
      ingot lock --arch amd64 --arch arm64 store.yml
    """
    from ingot.appliance.pins import lock_appliance
    from ingot.debian.machine import host_machine

    path = file or only_file(Path(), "lock")
    with printer.progress() as progress:
        session = make_session(path, options, progress)
        wanted = arches or (host_machine().architecture,)
        rows = lock_appliance(path, wanted, session, update=update)
    for row in rows:
        document = {
            "reference": row.reference,
            "arch": row.arch,
            "digest": row.digest,
            "packages": row.packages,
        }
        pinned = row.digest or f"{row.packages} packages"
        printer.data(document, f"{row.reference}  {row.arch}  {pinned}")
