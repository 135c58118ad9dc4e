"""`ingot version`: whether a bucket keeps versions of its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client

_WORDS = {"Enabled": "enabled", "Suspended": "suspended", "": "un-versioned"}


@click.group()
def version() -> None:
    """Keep versions of objects: what is overwritten or deleted stays, and can be brought back.

    \b
    Examples:
      ingot version enable store/photos
      ingot version info store/photos
      ingot ls --versions store/photos
    """


@version.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def enable(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Keep versions from now on.

    \b
    Examples:
      ingot version enable store/photos
    """
    on_buckets(printer, targets, lambda client, address: _set(printer, client, address, "Enabled"))


@version.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def suspend(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Make no further versions; those that are there stay.

    \b
    Examples:
      ingot version suspend store/photos
    """
    on_buckets(
        printer, targets, lambda client, address: _set(printer, client, address, "Suspended")
    )


@version.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def info(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Tell whether buckets keep versions.

    \b
    Examples:
      ingot version info store/photos
      ingot version info --json store/photos store/films
    """

    def show(client: S3Client, address: RemoteAddress) -> None:
        status = client.get_bucket_versioning(address.bucket) or ""
        _tell(printer, "info", address, status)

    on_buckets(printer, targets, show)


def _set(printer: Printer, client: S3Client, address: RemoteAddress, status: str) -> None:
    client.put_bucket_versioning(address.bucket, status)
    _tell(printer, "enable" if status == "Enabled" else "suspend", address, status)


def _tell(printer: Printer, act: str, address: RemoteAddress, status: str) -> None:
    document = {"Op": act, "url": str(address), "versioning": {"status": status}}
    printer.data(document, f"{address} versioning is {_WORDS.get(status, status)}")
