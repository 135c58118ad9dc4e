"""`ingot legalhold`: objects that must stay until further notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import choice_of, on_versions, version_options
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from ingot.client.versions import Chosen
    from ingot.s3client.client import S3Client

_NOTHING = frozenset({"NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"})


@click.group()
def legalhold() -> None:
    """Say which objects must stay until further notice, whatever their retention.

    \b
    Examples:
      ingot legalhold set store/ledger/2026.csv
      ingot legalhold info --recursive store/ledger/
      ingot legalhold clear store/ledger/2026.csv
    """


@legalhold.command("set")
@click.argument("target", shell_complete=complete_remote)
@version_options
@output_options
def set_(printer: Printer, *, target: str, **which: Any) -> None:
    """Make TARGET stay until further notice.

    \b
    Examples:
      ingot legalhold set store/ledger/2026.csv
      ingot legalhold set --recursive --versions store/ledger/
    """
    _put(printer, target, which, on=True)


@legalhold.command()
@click.argument("target", shell_complete=complete_remote)
@version_options
@output_options
def clear(printer: Printer, *, target: str, **which: Any) -> None:
    """Let TARGET be removed again, unless its retention says other.

    \b
    Examples:
      ingot legalhold clear store/ledger/2026.csv
    """
    _put(printer, target, which, on=False)


@legalhold.command()
@click.argument("target", shell_complete=complete_remote)
@version_options
@output_options
def info(printer: Printer, *, target: str, **which: Any) -> None:
    """Tell whether TARGET must stay until further notice.

    \b
    Examples:
      ingot legalhold info store/ledger/2026.csv
    """
    from ingot.s3client.errors import unless_absent

    def show(client: S3Client, item: Chosen) -> None:
        on = unless_absent(
            lambda: client.get_object_legal_hold(
                item.address.bucket, item.address.key, version_id=item.version_id
            ),
            *_NOTHING,
        )
        _tell(printer, item, on=bool(on))

    on_versions(printer, [target], choice_of(**which), show)


def _put(printer: Printer, target: str, which: dict[str, Any], *, on: bool) -> None:
    def put(client: S3Client, item: Chosen) -> None:
        client.put_object_legal_hold(
            item.address.bucket, item.address.key, on=on, version_id=item.version_id
        )
        _tell(printer, item, on=on)

    on_versions(printer, [target], choice_of(**which), put)


def _tell(printer: Printer, item: Chosen, *, on: bool) -> None:
    document = {"legalhold": "ON" if on else "OFF", "urlpath": str(item.address)}
    document["key"] = item.address.key
    if item.version_id:
        document["versionID"] = item.version_id
    words = "must stay until further notice" if on else "is not held"
    printer.data(document, f"{visible(str(item))} {words}")
