"""`ingot ilm restore`: archived objects become readable for some days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import choice_of, on_versions
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.versions import Chosen
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option(
    "--days", type=click.IntRange(1), default=1, show_default=True, help="For how long it stays."
)
@click.option("--recursive", "-r", is_flag=True, help="All objects below TARGET.")
@click.option("--versions", is_flag=True, help="All versions.")
@click.option("--version-id", "--vid", metavar="ID", help="This version.")
@output_options
def restore(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    days: int,
    recursive: bool,
    versions: bool,
    version_id: str | None,
) -> None:
    """Ask the service to bring archived objects back for some days.

    It does so in its own time: `ingot stat` shows X-Amz-Restore.

    \b
    Examples:
      ingot ilm restore --days 7 store/archive/2024.tar
      ingot ilm restore --recursive store/archive/2024/
    """

    def ask(client: S3Client, item: Chosen) -> None:
        address = item.address
        client.restore_object(address.bucket, address.key, days, version_id=item.version_id)
        document = {
            "url": str(address),
            "key": address.key,
            "versionID": item.version_id or "",
            "days": days,
        }
        printer.data(document, f"asked for {item} for {days} days")

    choice = choice_of(
        recursive=recursive, version_id=version_id, every_version=versions, rewind=None
    )
    on_versions(printer, targets, choice, ask)
