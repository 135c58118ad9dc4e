"""`ingot pkg`: components as container images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ingot.cli._images import (
    read_registry_options,
    registry_options,
    session_in,
    source_options,
)
from ingot.cli._vocabulary import complete_arch
from ingot.cli.printer import Printer, output_options


@click.group()
def pkg() -> None:
    """Make container images of component folders.

    \b
    Examples:
      ingot pkg ls
      ingot pkg build components/web
      ingot pkg push localhost/web registry.example/team/web:1
    """


@pkg.command("build")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--name", metavar="NAME[:TAG]", help="What to call the image, not localhost/NAME.")
@click.option(
    "--arch",
    "arches",
    multiple=True,
    metavar="ARCH",
    shell_complete=complete_arch,
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
        session = session_in(folder, options, progress)
        wanted = arches or (host_machine().architecture,)
        made = package_component(folder, wanted, name, session)
    document = {"name": made.name, "digest": made.digest, "tagged": made.tagged}
    printer.data(document, f"{made.tagged}  {made.digest}")


@pkg.command("ls")
@click.argument(
    "folder", required=False, type=click.Path(path_type=Path, file_okay=False, exists=True)
)
@output_options
def ls(printer: Printer, *, folder: Path | None) -> None:
    """List the components in FOLDER (here if not given) and those of the product.

    Each with the name that its contents give it, which `@pkg:` in appliance files stands for, and
    the platforms for which the cache has it.

    \b
    Examples:
      ingot pkg ls
      ingot pkg ls --json examples
    """
    import msgspec

    from ingot.appliance.package import list_components
    from ingot.base import paths

    for row in list_components(folder or Path(), paths.cache_dir()):
        kept = ", ".join(row.platforms) or "not built"
        text = f"{row.name}  {row.tagged.rpartition(':')[2][:12]}  {kept}  {row.path}"
        printer.data(msgspec.to_builtins(row), text)


@pkg.command("push")
@click.argument("name", metavar="NAME[:TAG]")
@click.argument("target", required=False, metavar="[REGISTRY/NAME[:TAG]]")
@registry_options
@output_options
def push(printer: Printer, *, name: str, target: str | None, **options: Any) -> None:
    """Push the image NAME of the cache to its registry, or to the name TARGET.

    What the registry has already is not sent again. Logins are those of Docker and Podman.

    \b
    Examples:
      ingot pkg push registry.example/team/web:1
      ingot pkg push localhost/web registry.example/team/web:1
    """
    from ingot.base import paths
    from ingot.oci.channel import Channel
    from ingot.oci.push import push as run_push
    from ingot.oci.reference import parse_reference
    from ingot.oci.store import ImageStore

    full = str(parse_reference(name))
    place = parse_reference(target or name)
    store = ImageStore(paths.cache_dir())
    with Channel(read_registry_options(options)) as channel, printer.progress() as progress:
        root = run_push(full, place, channel=channel, store=store, progress=progress)
    printer.data({"name": str(place), "digest": root.digest}, f"{place}  {root.digest}")
