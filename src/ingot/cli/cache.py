"""`ingot cache`: the container images this machine keeps for builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.base.units import format_size
from ingot.cli._images import read_registry_options, registry_options
from ingot.cli._vocabulary import complete_arch
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.oci.store import ImageStore


@click.group()
def cache() -> None:
    """Keep container images for builds, with or without a network.

    Images are kept as an OCI image layout in the folder `images` of the cache folder
    (INGOT_CACHE_DIR, else ~/.cache/ingot).

    \b
    Examples:
      ingot cache pull alpine:3.20
      ingot cache ls
      ingot cache export alpine:3.20 alpine.tar
      ingot cache gc
    """


@cache.command("ls")
@output_options
def ls(printer: Printer) -> None:
    """List the images that are kept: name, digest, platforms, compressed size.

    \b
    Examples:
      ingot cache ls
      ingot cache ls --json
    """
    from ingot.oci.transfer import describe

    for image in describe(_store()):
        document = {
            "name": image.name,
            "digest": image.digest,
            "platforms": list(image.platforms),
            "size": image.size_bytes,
        }
        platforms = ", ".join(image.platforms)
        columns = (image.name, image.digest[:19], format_size(image.size_bytes), platforms)
        printer.data(document, "  ".join(filter(None, columns)))


@cache.command("pull")
@click.argument("references", nargs=-1, required=True, metavar="NAME[:TAG][@DIGEST]...")
@click.option(
    "--arch",
    metavar="ARCH",
    shell_complete=complete_arch,
    help="Debian's name of an architecture. Default: this one.",
)
@click.option("--all", "all_platforms", is_flag=True, help="Fetch the images of all platforms.")
@registry_options
@output_options
def pull(
    printer: Printer,
    *,
    references: tuple[str, ...],
    arch: str | None,
    all_platforms: bool,
    **options: Any,
) -> None:
    """Fetch images from their registries, whatever is kept already.

    Logins are those of Docker and Podman (docker login), credential helpers included.

    \b
    Examples:
      ingot cache pull alpine:3.20 linuxkit/dhcpcd:v1.0.0
      ingot cache pull --all registry.example/team/app
      ingot cache pull --registry-mirror https://mirror.example alpine
    """
    from ingot.debian.machine import host_machine
    from ingot.oci.manifest import platform_for
    from ingot.oci.pull import pull as run_pull
    from ingot.oci.reference import parse_reference
    from ingot.oci.registry import RegistryClient

    platform = None if all_platforms else platform_for(arch or host_machine().architecture)
    wanted = [parse_reference(text) for text in references]
    store = _store()
    with RegistryClient(read_registry_options(options)) as client, printer.progress() as progress:
        for reference in wanted:
            root = run_pull(reference, platform, client=client, store=store, progress=progress)
            document = {"name": str(reference), "digest": root.digest}
            printer.data(document, f"{reference}  {root.digest}")


@cache.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("--name", metavar="NAME[:TAG]", help="What to call the image.")
@output_options
def import_(printer: Printer, *, path: Path, name: str | None) -> None:
    """Take images from PATH: an OCI layout (folder or tar), or the tar of `docker save`.

    \b
    Examples:
      docker save app:1 | tee app.tar >/dev/null && ingot cache import app.tar
      ingot cache import ./layout --name registry.example/app:1
    """
    from ingot.oci.transfer import import_images

    for full in import_images(path, name, _store()):
        printer.data({"name": full}, full)


@cache.command("export")
@click.argument("name", metavar="NAME[:TAG][@DIGEST]")
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@output_options
def export(printer: Printer, *, name: str, target: Path) -> None:
    """Write an image as an OCI layout to the tar file TARGET; the same image, the same bytes.

    \b
    Examples:
      ingot cache export alpine:3.20 alpine.tar
    """
    from ingot.oci.reference import parse_reference
    from ingot.oci.transfer import export_image

    full = str(parse_reference(name))
    export_image(full, target, _store())
    size_bytes = target.stat().st_size
    document = {"name": full, "path": str(target), "size": size_bytes}
    printer.data(document, f"{target}  {format_size(size_bytes)}")


@cache.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME[:TAG][@DIGEST]...")
@output_options
def rm(printer: Printer, *, names: tuple[str, ...]) -> None:
    """Forget images; `ingot cache gc` then frees their space.

    \b
    Examples:
      ingot cache rm alpine:3.20
    """
    from ingot.oci.reference import parse_reference

    store = _store()
    for name in [str(parse_reference(text)) for text in names]:
        store.remove_name(name)
        printer.data({"name": name}, f"removed {name}")


@cache.command("gc")
@click.option(
    "--grace",
    "grace_s",
    type=click.FloatRange(min=0),
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="Keep what was used within this time: a build may be reading it.",
)
@output_options
def gc(printer: Printer, *, grace_s: float) -> None:
    """Remove the blobs and unpacked layers that no kept image needs.

    Layers of images that were read from files are unpacked again when they are needed.

    \b
    Examples:
      ingot cache gc
      ingot cache gc --grace 0
    """
    found = _store().collect(grace_s=grace_s)
    document = {"files": found.files, "size": found.size_bytes}
    printer.data(document, f"removed {found.files} files, {format_size(found.size_bytes)}")


def _store() -> ImageStore:
    from ingot.base import paths
    from ingot.oci.store import ImageStore

    return ImageStore(paths.cache_dir())
