"""`ingot ls`: buckets of an alias, objects and folders of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.client.listing import Line


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--recursive", "-r", is_flag=True, help="Everything below, without folders.")
@click.option("--summarize", is_flag=True, help="Count and add up at the end.")
@output_options
def ls(printer: Printer, *, targets: tuple[str, ...], recursive: bool, summarize: bool) -> None:
    """List buckets and objects.

    \b
    Examples:
      ingot ls store
      ingot ls store/photos/2026/
      ingot ls --recursive --summarize store/photos
    """
    from ingot.cli._objects import each, iso_time, local_time
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.listing import list_address

    book = AliasBook.default()
    count = size_bytes = 0

    def show(line: Line, address: RemoteAddress) -> None:
        kind = "folder" if line.is_folder else "file"
        document = {
            "type": kind,
            "lastModified": iso_time(line.modified_ns) if line.modified_ns else "",
            "size": line.size_bytes,
            "key": line.name,
            "etag": line.etag,
            "url": f"{address.alias.url}/{line.base}",
            "versionOrdinal": 1,
        }
        if line.storage_class:
            document["storageClass"] = line.storage_class
        when = local_time(line.modified_ns) if line.modified_ns else "-"
        printer.data(document, f"[{when:^23}] {_size(line):>10} {visible(line.name)}")

    with Connections() as connections:

        def act(target: str) -> None:
            nonlocal count, size_bytes
            address = parse_remote(target, book)
            for line in list_address(connections, address, recursive=recursive):
                show(line, address)
                count += not line.is_folder
                size_bytes += line.size_bytes

        each(printer, targets, act)
    if summarize:
        from ingot.base.units import format_size

        printer.data(
            {"totalObjects": count, "totalSize": size_bytes},
            f"\nTotal size: {format_size(size_bytes)}\nTotal objects: {count}",
        )


def _size(line: Line) -> str:
    from ingot.base.units import format_size

    return "folder" if line.is_folder else format_size(line.size_bytes)
