"""`ingot quota`: how much a bucket may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ingot.cli._completion import complete_remote
from ingot.cli.buckets._settings import on_buckets
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client


@click.group()
def quota() -> None:
    """Limit how much buckets may hold; what would exceed that is refused.

    Services with MinIO's admin API have quotas, and the alias needs an administrator's keys.

    \b
    Examples:
      ingot quota set store/photos --size 100G
      ingot quota info store/photos
      ingot quota clear store/photos
    """


@quota.command("set")
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--size", metavar="SIZE", required=True, help="At most so much: 512M, 4G or bytes.")
@output_options
def set_(printer: Printer, *, targets: tuple[str, ...], size: str) -> None:
    """Let buckets hold so much and no more.

    What is there stays, also if it is more already. Units are powers of 1024.

    \b
    Examples:
      ingot quota set store/photos --size 100G
      ingot quota set --size 512MiB store/photos store/films
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import format_size, parse_size

    size_bytes = parse_size(size)
    if not size_bytes:
        raise UsageError("a quota of nothing is none", hint="`ingot quota clear` takes it away")

    def limit(client: S3Client, address: RemoteAddress) -> None:
        client.set_bucket_quota(address.bucket, size_bytes)
        _tell(printer, address, f"may hold {format_size(size_bytes)}", size_bytes)

    on_buckets(printer, targets, limit)


@quota.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def info(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Tell how much buckets may hold.

    \b
    Examples:
      ingot quota info store/photos
      ingot quota info --json store/photos
    """
    from ingot.base.units import format_size

    def show(client: S3Client, address: RemoteAddress) -> None:
        found = client.get_bucket_quota(address.bucket)
        if found.limit_bytes:
            said = f"may hold {format_size(found.limit_bytes)}"
            _tell(printer, address, said, found.limit_bytes, found.quotatype)
        else:
            _tell(printer, address, "has no quota")

    on_buckets(printer, targets, show)


@quota.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def clear(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Let buckets hold as much as there is room for.

    \b
    Examples:
      ingot quota clear store/photos
    """

    def free(client: S3Client, address: RemoteAddress) -> None:
        client.set_bucket_quota(address.bucket, 0)
        _tell(printer, address, "has no quota")

    on_buckets(printer, targets, free)


def _tell(
    printer: Printer, address: RemoteAddress, said: str, limit_bytes: int = 0, kind: str = ""
) -> None:
    document: dict[str, Any] = {"bucket": address.bucket, "url": str(address)}
    if limit_bytes:
        document["quota"] = limit_bytes
        document["type"] = kind or "hard"
    printer.data(document, f"{address} {said}")
