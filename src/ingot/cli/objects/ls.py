"""`ingot ls`: buckets of an alias, objects and folders of a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_address
from ingot.cli._wire import zip_option
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingot.client.addresses import Address
    from ingot.client.connections import Connections
    from ingot.client.listing import Line


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@click.option("--recursive", "-r", is_flag=True, help="Everything below, without folders.")
@click.option("--versions", is_flag=True, help="All versions, and what deleted them.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24T02:05.")
@click.option("--incomplete", "-I", is_flag=True, help="Uploads that are not finished.")
@click.option("--storage-class", "--sc", metavar="CLASS", help="Only objects of this class.")
@click.option("--summarize", is_flag=True, help="Count and add up at the end.")
@zip_option
@output_options
def ls(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    recursive: bool,
    versions: bool,
    rewind: str | None,
    incomplete: bool,
    storage_class: str | None,
    summarize: bool,
) -> None:
    """List buckets and objects, or local files.

    \b
    Examples:
      ingot ls store
      ingot ls store/photos/2026/
      ingot ls --recursive --summarize store/photos
      ingot ls --versions store/photos/cat.jpg
      ingot ls --recursive --rewind 7d store/photos
      ingot ls --incomplete store/photos
    """
    from ingot.base.clock import SystemClock
    from ingot.base.errors import UsageError
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.moments import parse_moment

    if incomplete and (versions or rewind is not None):
        raise UsageError("--incomplete shows what has no versions and no past")
    moment_ns = None if rewind is None else parse_moment(rewind, SystemClock().now_ns())
    book = AliasBook.default()
    count = size_bytes = 0
    with Connections() as connections:

        def act(target: str) -> None:
            nonlocal count, size_bytes
            address = parse_place(target, book)
            for line in _lines(
                connections,
                address,
                recursive=recursive,
                versions=versions,
                moment_ns=moment_ns,
                incomplete=incomplete,
            ):
                if storage_class and not line.is_folder and line.storage_class != storage_class:
                    continue
                printer.data(_document(line, address), _text(line))
                count += not line.is_folder
                size_bytes += line.size_bytes

        each(printer, targets, act)
    if summarize:
        from ingot.base.units import format_size

        printer.data(
            {"totalObjects": count, "totalSize": size_bytes},
            f"\nTotal size: {format_size(size_bytes)}\nTotal objects: {count}",
        )


def _lines(
    connections: Connections,
    address: Address,
    *,
    recursive: bool,
    versions: bool,
    moment_ns: int | None,
    incomplete: bool,
) -> Iterator[Line]:
    from ingot.client.addresses import LocalAddress

    if isinstance(address, LocalAddress):
        from ingot.base.errors import UsageError
        from ingot.client.locallisting import list_local

        if incomplete or versions or moment_ns is not None:
            raise UsageError(f"{address} is local, and files have no versions and uploads")
        return list_local(str(address), recursive=recursive)
    if incomplete:
        from ingot.client.pastlisting import list_uploads

        return list_uploads(connections, address, recursive=recursive)
    if versions or moment_ns is not None:
        from ingot.client.pastlisting import list_versions

        return list_versions(
            connections, address, recursive=recursive, moment_ns=moment_ns, every=versions
        )
    from ingot.client.listing import list_address

    return list_address(connections, address, recursive=recursive)


def _document(line: Line, address: Address) -> dict[str, Any]:
    from ingot.cli._objects import iso_time
    from ingot.client.addresses import LocalAddress

    where = "" if isinstance(address, LocalAddress) else f"{address.alias.url}/"

    document: dict[str, Any] = {
        "type": "folder" if line.is_folder else "file",
        "lastModified": iso_time(line.modified_ns) if line.modified_ns else "",
        "size": line.size_bytes,
        "key": line.name,
        "etag": line.etag,
        "url": f"{where}{line.base}",
        "versionOrdinal": 1,
    }
    if line.storage_class:
        document["storageClass"] = line.storage_class
    if (version := line.version) is not None:
        document |= {"versionId": version.id, "versionOrdinal": version.ordinal}
        document |= {"isLatest": version.is_latest, "isDeleteMarker": version.is_delete_marker}
    if line.upload_id:
        document["uploadId"] = line.upload_id
    return document


def _text(line: Line) -> str:
    from ingot.base.units import format_size
    from ingot.cli._objects import local_time

    when = local_time(line.modified_ns) if line.modified_ns else "-"
    size = "folder" if line.is_folder else format_size(line.size_bytes)
    name = visible(line.name)
    if (version := line.version) is not None:
        act = "DEL" if version.is_delete_marker else "PUT"
        name = f"{version.id} v{version.ordinal} {act} {name}"
    elif line.upload_id:
        name = f"{name} ({line.upload_id})"
    return f"[{when:^23}] {size:>10} {name}"
