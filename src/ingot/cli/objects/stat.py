"""`ingot stat`: what is known of an object, a folder or a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.client.connections import Connections


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--version-id", "--vid", metavar="ID", help="This version of one object.")
@output_options
def stat(printer: Printer, *, targets: tuple[str, ...], version_id: str | None) -> None:
    """Show what is known of an object, a folder or a bucket.

    \b
    Examples:
      ingot stat store/photos/cat.jpg
      ingot stat --json store/photos
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            document = _document(connections, parse_remote(target, book), version_id)
            rows = [(name, value) for name, value in document.items() if name != "metadata"]
            rows += document.get("metadata", {}).items()
            text = "\n".join(f"{name:<16} {visible(str(value))}" for name, value in rows)
            printer.data(document, text)

        each(printer, targets, act)


def _document(
    connections: Connections, address: RemoteAddress, version_id: str | None
) -> dict[str, Any]:
    from ingot.base.errors import NotFoundError, UsageError

    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET[/KEY]")
    client = connections.client(address.alias)
    if not address.key:
        client.head_bucket(address.bucket)
        return {
            "name": str(address),
            "type": "folder",
            "region": client.get_bucket_location(address.bucket),
        }
    try:
        return _object_document(connections, address, version_id)
    except NotFoundError as error:
        if version_id is not None:
            raise
        page = client.list_objects_v2(address.bucket, prefix=address.folder_prefix, max_keys=1)
        if not page.entries:
            raise NotFoundError(f"{address} does not exist", hint=error.hint) from error
        return {"name": str(address), "type": "folder"}


def _object_document(
    connections: Connections, address: RemoteAddress, version_id: str | None
) -> dict[str, Any]:
    from ingot.cli._objects import iso_time

    client = connections.client(address.alias)
    info = client.head_object(address.bucket, address.key, version_id=version_id)
    document: dict[str, Any] = {
        "name": str(address),
        "type": "file",
        "lastModified": iso_time(info.modified_ns),
        "size": info.size_bytes,
        "etag": info.etag,
        "storageClass": info.storage_class,
    }
    if info.checksum is not None:
        document["checksum"] = f"{info.checksum.algorithm}:{info.checksum.value}"
    if info.version_id is not None:
        document["versionID"] = info.version_id
    document["metadata"] = {
        **{name.title(): value for name, value in info.content_headers.items()},
        **{f"X-Amz-Meta-{name.title()}": value for name, value in info.metadata.items()},
    }
    return document
