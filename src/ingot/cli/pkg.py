"""`ingot pkg`: components as container images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingot.cli._images import make_session, source_options
from ingot.cli.printer import Printer, output_options


@click.group()
def pkg() -> None:
    """Make container images of component folders.

    \b
    Examples:
      ingot pkg build components/web
      ingot cache export localhost/web web.tar
    """


@pkg.command("build")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--name", metavar="NAME[:TAG]", help="What to call the image, not localhost/NAME.")
@click.option(
    "--arch",
    "arches",
    multiple=True,
    metavar="ARCH",
    help="Debian's name of an architecture; several make one image for all. Default: this one.",
)
@source_options
@output_options
def build(
    printer: Printer, *, folder: Path, name: str | None, arches: tuple[str, ...], **options: Any
) -> None:
    """Build the component in FOLDER and keep it as a container image in the cache.

    Appliances take it by its name, and so do Docker and Podman once it is exported. Packages are
    pinned in FOLDER/ingot.lock.

    \b
    Examples:
      ingot pkg build components/web
      ingot pkg build --name registry.example/team/web:1 --arch amd64 --arch arm64 components/web
    """
    from ingot.appliance.package import package_component
    from ingot.debian.machine import host_machine

    with printer.progress() as progress:
        session = make_session(folder / "component.yml", options, progress)
        wanted = arches or (host_machine().architecture,)
        full, digest = package_component(folder, wanted, name, session)
    printer.data({"name": full, "digest": digest}, f"{full}  {digest}")
