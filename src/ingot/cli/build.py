"""`ingot build`: an appliance file into bootable files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingot.base.units import format_duration, format_size, parse_size
from ingot.cli._completion import complete_path
from ingot.cli._images import only_file, session_in, source_options
from ingot.cli._vocabulary import complete_arch, complete_format
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.appliance.manifest import BuiltFile, Manifest


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]…", shell_complete=complete_path)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Write the outputs there instead of here.",
)
@click.option(
    "-o",
    "--o",
    "--output",
    "single",
    metavar="FILE|-",
    shell_complete=complete_path,
    help="Write the one file of a single format there, or to standard output; nothing beside it.",
)
@click.option("--name", help="Start the outputs' names with this instead of the file's name.")
@click.option(
    "--format",
    "-f",
    "formats",
    multiple=True,
    metavar="FORMAT",
    shell_complete=complete_format,
    help="Output format; repeat it or list several with commas. Default: kernel+initrd.",
)
@click.option(
    "--arch",
    metavar="ARCH",
    shell_complete=complete_arch,
    help="Debian's name of the architecture to build for.",
)
@click.option(
    "--size",
    metavar="SIZE",
    help="Make disks at least so large, such as 10G; a number alone is MiB.",
)
@click.option("--dry-run", is_flag=True, help="Print the merged appliance file, and end.")
@click.option(
    "--platform",
    type=click.Choice(["cloud", "generic"]),
    help="Machines to build for: generic brings the drivers of VirtualBox and of hardware.",
)
@click.option(
    "--compress-level",
    type=click.IntRange(1, 22),
    metavar="1-22",
    help="Level of zstd: higher is smaller and slower. Default: fast.",
)
@source_options
@output_options
def build(printer: Printer, files: tuple[str, ...], folder: Path, **options: Any) -> None:
    """Build the appliance that FILE describes (the only .yml file here if not given).

    Several FILEs are merged in their order; `-` is standard input, and an address needs a digest
    (https://…#sha256=…). Pins of packages and images are kept in ingot.lock beside the first FILE.
    No root, no Docker.

    \b
    Examples:
      ingot build examples/hello.yml
      ingot build store.yml --dir out --format kernel+initrd,tar
      ingot build store.yml --offline --compress-level 19
      ingot build store.yml --platform generic --format ova
      ingot build store.yml --format tar -o - | tar -t
      ingot build --dry-run store.yml debug.yml
    """
    import sys
    import time
    from dataclasses import replace

    from ingot.appliance.build import FORMAT_DEFAULT, BuildOptions
    from ingot.appliance.build import build as run_build
    from ingot.appliance.inputs import inputs_folder, read_inputs
    from ingot.appliance.single import build_file, build_stream
    from ingot.appliance.spec import parse_appliance
    from ingot.debian.machine import host_machine

    arguments = files or (str(only_file(Path(), "build")),)
    formats = tuple(
        name.strip() for given in options["formats"] for name in given.split(",") if name.strip()
    )
    build_options = BuildOptions(
        arch=options["arch"] or host_machine().architecture,
        folder=folder,
        name=options["name"],
        formats=formats,
        compress_level=options["compress_level"],
        platform=options["platform"],
        disk_bytes=parse_size(options["size"], default_unit="m") if options["size"] else 0,
    )
    single = options["single"]
    started_s = time.monotonic()
    with printer.progress() as progress:
        session = session_in(inputs_folder(arguments), options, progress)
        inputs = read_inputs(arguments, session)
        read = parse_appliance(inputs.documents, name=inputs.name)
        for warning in read.warnings:
            printer.warning(warning)
        if options["dry_run"]:
            text = read.yaml_text
            printer.data({"yaml": text}, text.removesuffix("\n"))
            return
        if not formats:
            build_options = replace(build_options, formats=read.outputs or (FORMAT_DEFAULT,))
        if single == "-":
            build_stream(inputs, build_options, session, sys.stdout.buffer)
            return
        if single is not None:
            file = build_file(inputs, build_options, session, Path(single))
            _show(printer, inputs.name, file, Path(single))
            return
        manifest = run_build(inputs, build_options, session)
    _report(printer, folder, manifest, time.monotonic() - started_s)


def _report(printer: Printer, folder: Path, manifest: Manifest, duration_s: float) -> None:
    for built in manifest.files:
        _show(printer, manifest.name, built, folder / built.path)
    printer.note(f"built {manifest.name} in {format_duration(duration_s)}")


def _show(printer: Printer, name: str, built: BuiltFile, path: Path) -> None:
    document = {
        "name": name,
        "role": built.role,
        "path": str(path),
        "size": built.size_bytes,
        "sha256": built.sha256,
    }
    printer.data(document, f"{path}  {format_size(built.size_bytes)}")
