"""`ingot stat`: what is known of an object, a folder or a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_address
from ingot.cli._habits import always
from ingot.cli._writing import key_options
from ingot.cli.buckets._settings import choice_of, on_versions, version_options
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.addresses import LocalAddress, RemoteAddress
    from ingot.s3client.client import S3Client


# What is said of buckets, for people.
_WORDS = {
    "location": "region",
    "Versioning": "versioning",
    "ObjectLock": "objectLock",
    "Encryption": "encryption",
    "Policy": "anonymous",
}


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@version_options
@click.option("--no-list", is_flag=True, help="Never list: what is no object is not found.")
@always("--verbose", "-v")
@key_options
@output_options
def stat(printer: Printer, *, targets: tuple[str, ...], no_list: bool, **which: Any) -> None:
    """Show what is known of an object, a folder or a bucket; or of a local file.

    Of a bucket it shows what is set, as far as its service has it and you may see it.

    \b
    Examples:
      ingot stat store/photos/cat.jpg
      ingot stat --json store/photos
      ingot stat --recursive --versions store/photos/2026/
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import LocalAddress, parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.versions import Choice

    choice = choice_of(**which)
    if choice != Choice():
        on_versions(
            printer,
            targets,
            choice,
            lambda client, item: _show(
                printer, _object_document(client, item.address, item.version_id)
            ),
        )
        return
    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_place(target, book)
            if isinstance(address, LocalAddress):
                _show(printer, _file_document(address))
                return
            client = connections.client(address.alias)
            _show(printer, _document(client, address, may_list=not no_list))

        each(printer, targets, act)


def _show(printer: Printer, document: dict[str, Any]) -> None:
    rows = [
        (_WORDS.get(name, name), ", ".join(value.values()) if isinstance(value, dict) else value)
        for name, value in document.items()
        if name not in {"name", "checksum", "metadata", "tagset"}
    ]
    rows += [("checksum", f"{word}:{sum_}") for word, sum_ in document.get("checksum", {}).items()]
    rows += document.get("metadata", {}).items()
    rows += [(f"tag {name}", value) for name, value in document.get("tagset", {}).items()]
    lines = [("name", document["name"]), *((name, str(value)) for name, value in rows)]
    text = "\n".join(f"{visible(name):<16} {visible(value)}" for name, value in lines)
    printer.data(document, text)


def _document(client: S3Client, address: RemoteAddress, *, may_list: bool) -> dict[str, Any]:
    from ingot.base.errors import NotFoundError, UsageError
    from ingot.client.bucketfacts import bucket_facts

    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET[/KEY]")
    if not address.key:
        client.head_bucket(address.bucket)
        facts = bucket_facts(client, address.bucket)
        return {"name": str(address), "type": "folder", **facts}
    try:
        return _object_document(client, address, None)
    except NotFoundError as error:
        if not may_list:
            raise NotFoundError(f"{address} does not exist", hint=error.hint) from error
        page = client.list_objects_v2(address.bucket, prefix=address.folder_prefix, max_keys=1)
        if not page.entries:
            raise NotFoundError(f"{address} does not exist", hint=error.hint) from error
        return {"name": str(address), "type": "folder"}


def _file_document(address: LocalAddress) -> dict[str, Any]:
    from ingot.base.errors import Error
    from ingot.cli._objects import iso_time

    try:
        status = address.path.stat()
    except OSError as error:
        raise Error(f"cannot read {address}: {error.strerror}") from error
    document: dict[str, Any] = {
        "name": str(address),
        "type": "folder" if address.path.is_dir() else "file",
        "lastModified": iso_time(status.st_mtime_ns),
    }
    return document if document["type"] == "folder" else {**document, "size": status.st_size}


def _object_document(
    client: S3Client, address: RemoteAddress, version_id: str | None
) -> dict[str, Any]:
    from ingot.cli._objects import iso_time

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
        document["checksum"] = {info.checksum.algorithm: info.checksum.value}
    if info.version_id is not None:
        document["versionID"] = info.version_id
    document["metadata"] = {
        **{name.title(): value for name, value in info.content_headers.items()},
        **{name.title(): value for name, value in info.service_headers.items()},
        **{f"X-Amz-Meta-{name.title()}": value for name, value in info.metadata.items()},
    }
    return document
