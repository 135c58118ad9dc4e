"""`ingot tag`: names and values that objects and buckets carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import choice_of, on_versions, table, version_options
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingot.client.versions import Chosen
    from ingot.s3client.client import S3Client


@click.group()
def tag() -> None:
    """Keep tags: names and values that objects and buckets carry, for rules and for searching.

    \b
    Examples:
      ingot tag set store/photos/cat.jpg 'kind=cat&public=yes'
      ingot tag list store/photos/cat.jpg
      ingot find store/photos --tags 'kind=cat'
    """


@tag.command("set")
@click.argument("target", shell_complete=complete_remote)
@click.argument("tags", metavar="TAGS")
@version_options
@click.option("--exclude-folders", is_flag=True, help="Leave out markers of folders.")
@output_options
def set_(printer: Printer, *, target: str, tags: str, exclude_folders: bool, **which: Any) -> None:
    """Give TARGET, an object or a bucket, these TAGS in place of those it has.

    TAGS are written `name=value&name=value`; what is `&`, `=`, `+` or `%` in them is
    percent-encoded. A bucket with --recursive means its objects.

    \b
    Examples:
      ingot tag set store/photos/cat.jpg 'kind=cat&public=yes'
      ingot tag set store/photos 'owner=me'
      ingot tag set --recursive store/photos/2026/ 'year=2026'
    """
    from ingot.client.tagging import parse_tags

    pairs = parse_tags(tags)

    def put(client: S3Client, item: Chosen) -> None:
        bucket, key = item.address.bucket, item.address.key
        if exclude_folders and key.endswith("/"):
            return
        if key:
            client.put_object_tagging(bucket, key, pairs, version_id=item.version_id)
        else:
            client.put_bucket_tagging(bucket, pairs)
        printer.data(_document(item), f"tagged {visible(str(item))}")

    _on(printer, target, which, put)


@tag.command("list")
@click.argument("target", shell_complete=complete_remote)
@version_options
@output_options
def list_(printer: Printer, *, target: str, **which: Any) -> None:
    """Show the tags of TARGET, an object or a bucket.

    \b
    Examples:
      ingot tag list store/photos/cat.jpg
      ingot tag list --json --versions store/photos/cat.jpg
    """
    from ingot.s3client.errors import unless_absent

    def show(client: S3Client, item: Chosen) -> None:
        bucket, key = item.address.bucket, item.address.key
        if key:
            tags = client.get_object_tagging(bucket, key, version_id=item.version_id)
        else:
            found = unless_absent(lambda: client.get_bucket_tagging(bucket), "NoSuchTagSet")
            tags = found or {}
        printer.data(
            {**_document(item), "url": str(item.address), "tagset": tags},
            table(str(item), sorted(tags.items())),
        )

    _on(printer, target, which, show)


@tag.command()
@click.argument("target", shell_complete=complete_remote)
@version_options
@output_options
def remove(printer: Printer, *, target: str, **which: Any) -> None:
    """Take all tags of TARGET, an object or a bucket, away.

    \b
    Examples:
      ingot tag remove store/photos/cat.jpg
      ingot tag remove --recursive store/photos/2026/
    """

    def drop(client: S3Client, item: Chosen) -> None:
        bucket, key = item.address.bucket, item.address.key
        if key:
            client.delete_object_tagging(bucket, key, version_id=item.version_id)
        else:
            client.delete_bucket_tagging(bucket)
        printer.data(_document(item), f"untagged {visible(str(item))}")

    _on(printer, target, which, drop)


def _document(item: Chosen) -> dict[str, Any]:
    document = {"name": str(item.address)}
    if item.version_id:
        document["versionID"] = item.version_id
    return document


def _on(
    printer: Printer, target: str, which: dict[str, Any], act: Callable[[S3Client, Chosen], None]
) -> None:
    """Act on a bucket itself, or on the objects that are meant."""
    from ingot.cli.buckets._settings import on_buckets
    from ingot.client.versions import Choice, Chosen

    choice = choice_of(**which)
    segments = target.rstrip("/").split("/")
    if len(segments) == 2 and choice == Choice():
        bucket = "/".join(segments)
        on_buckets(printer, [bucket], lambda client, address: act(client, Chosen(address)))
    else:
        on_versions(printer, [target], choice, act)
