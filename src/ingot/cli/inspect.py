"""`ingot inspect`: what is inside an appliance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.base.units import format_size
from ingot.cli._images import session_in, source_options
from ingot.cli._vocabulary import complete_arch
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.appliance.contents import Contents


@click.command()
@click.argument("what", metavar="PREFIX|FILE.yml", type=click.Path(path_type=Path))
@click.option("--packages", is_flag=True, help="List every package of every image, too.")
@click.option("--files", is_flag=True, help="List every file of the root file system, too.")
@click.option(
    "--arch",
    metavar="ARCH",
    shell_complete=complete_arch,
    help="Of FILE.yml: Debian's name of the architecture.",
)
@source_options
@output_options
def inspect(
    printer: Printer,
    *,
    what: Path,
    packages: bool,
    files: bool,
    arch: str | None,
    **options: Any,
) -> None:
    """Show what is inside a build (DIR/NAME), or would be inside one of FILE.yml.

    \b
    Examples:
      ingot inspect out/store
      ingot inspect --packages store.yml
      ingot inspect --files --json out/store
    """
    contents = contents_of(printer, what, arch, options)
    for output in contents.outputs:
        row = {"type": "output", "role": output.role, "path": output.path}
        text = f"output   {output.path}  {format_size(output.size_bytes)}"
        printer.data({**row, "size": output.size_bytes, "sha256": output.sha256}, text)
    for reference, digest in contents.bill.images.items():
        own = [package for package in contents.bill.packages if package.image == reference]
        row = {"type": "image", "reference": reference, "digest": digest}
        words = filter(None, (reference, digest[:19], f"{len(own)} packages"))
        printer.data({**row, "packages": len(own)}, f"image    {'  '.join(words)}")
    if packages:
        _show_packages(printer, contents)
    if files:
        _show_files(printer, contents)
    size_bytes = sum(row.size_bytes for row in contents.files.values())
    document = {
        "type": "total",
        "name": contents.name,
        "arch": contents.arch,
        "files": len(contents.files),
        "size": size_bytes,
    }
    text = f"total    {contents.name} {contents.arch}: {len(contents.files)} files"
    printer.data(document, f"{text}, {format_size(size_bytes)}")


def contents_of(
    printer: Printer, what: Path, arch: str | None, options: dict[str, Any]
) -> Contents:
    """Return what a build holds, or what one of an appliance file would hold."""
    from ingot.appliance.contents import planned_contents, read_contents

    if what.suffix not in {".yml", ".yaml"}:
        return read_contents(what)
    from ingot.appliance.build import plan_appliance
    from ingot.appliance.inputs import read_file
    from ingot.debian.machine import host_machine

    with printer.progress() as progress:
        session = session_in(what.parent, options, progress)
        plan = plan_appliance(read_file(what), arch or host_machine().architecture, session)
        return planned_contents(plan)


def _show_packages(printer: Printer, contents: Contents) -> None:
    for package in contents.bill.packages:
        document = {
            "type": "package",
            "image": package.image,
            "kind": package.kind,
            "name": package.name,
            "version": package.version,
            "arch": package.architecture,
        }
        words = (package.kind, package.name, package.version, package.architecture)
        text = "  ".join(filter(None, (*words, package.image)))
        printer.data(document, f"package  {text}")


def _show_files(printer: Printer, contents: Contents) -> None:
    for row in contents.files.values():
        kind, mode = row.attributes["type"], row.attributes["mode"]
        document = {"type": "file", "path": row.path, "attributes": row.attributes}
        link = f" -> {row.attributes['link']}" if "link" in row.attributes else ""
        text = f"file     {kind:4} {mode} {row.size_bytes:>10}  /{row.path}{link}"
        printer.data(document, text)
