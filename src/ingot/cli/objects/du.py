"""`ingot du`: what folders and buckets hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_address
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingot.client.listing import Line


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@click.option(
    "--depth",
    "-d",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Tell of folders down to this level; 1 is TARGET itself.",
)
@click.option("--recursive", "-r", is_flag=True, help="Tell of every folder.")
@click.option("--versions", is_flag=True, help="Count all versions.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24.")
@output_options
def du(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    depth: int,
    recursive: bool,
    versions: bool,
    rewind: str | None,
) -> None:
    """Count objects, or local files, and add up their sizes.

    \b
    Examples:
      ingot du store
      ingot du --depth 2 store/photos
      ingot du --recursive --json store/photos/2026/
    """
    from ingot.base.units import format_size
    from ingot.cli._objects import each
    from ingot.cli.buckets._settings import choice_of, refuse_history
    from ingot.client.addresses import LocalAddress, parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.listing import list_address
    from ingot.client.locallisting import list_local
    from ingot.client.pastlisting import list_versions
    from ingot.client.usage import usage

    choice = choice_of(recursive=True, version_id=None, every_version=versions, rewind=rewind)
    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_place(target, book)
            lines: Iterable[Line]
            if isinstance(address, LocalAddress):
                refuse_history(address, choice)
                lines = list_local(target, recursive=True)
            elif choice.wants_history:
                listed = list_versions(
                    connections, address, recursive=True, moment_ns=choice.rewind_ns
                )
                lines = (
                    line for line in listed if not (line.version and line.version.is_delete_marker)
                )
            else:
                lines = list_address(connections, address, recursive=True)
            for found in usage(lines, None if recursive else max(depth - 1, 0)):
                where = f"{str(address).rstrip('/')}/{found.path}".rstrip("/")
                noun = "object" if found.objects == 1 else "objects"
                printer.data(
                    {
                        "prefix": where,
                        "size": found.size_bytes,
                        "objects": found.objects,
                        "isVersions": versions,
                    },
                    f"{format_size(found.size_bytes):>10}  {found.objects} {noun}"
                    f"  {visible(where)}",
                )

        each(printer, targets, act)
