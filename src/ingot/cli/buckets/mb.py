"""`ingot mb`: make buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.client.addresses import RemoteAddress
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--ignore-existing", "-p", is_flag=True, help="An own bucket of that name is fine.")
@click.option("--region", help="Where to make it, for services with several regions.")
@click.option("--with-lock", "-l", is_flag=True, help="Objects can be locked; keeps versions.")
@click.option("--with-versioning", is_flag=True, help="Keep versions of objects.")
@output_options
def mb(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    ignore_existing: bool,
    region: str | None,
    with_lock: bool,
    with_versioning: bool,
) -> None:
    """Make buckets.

    \b
    Examples:
      ingot mb store/photos
      ingot mb --ignore-existing store/photos store/films
      ingot mb --with-lock store/ledger
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_bucket
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.s3client.errors import ServiceError

    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_bucket(target, book)
            where = region or address.alias.region
            client = connections.client(address.alias)
            text = f"made {address}"
            try:
                client.create_bucket(address.bucket, region=where, with_lock=with_lock)
            except ServiceError as error:
                if not (ignore_existing and error.code == "BucketAlreadyOwnedByYou"):
                    raise
                text = f"{address} was there"
            if with_lock:
                _check_lock(client, address)
            if with_versioning:
                client.put_bucket_versioning(address.bucket, "Enabled")
            printer.data({"bucket": str(address), "region": where}, text)

        each(printer, targets, act)


def _check_lock(client: S3Client, address: RemoteAddress) -> None:
    """Make sure that the bucket has object lock: services without it ignore the wish."""
    from ingot.base.errors import Error
    from ingot.s3client.errors import ServiceError

    try:
        client.get_object_lock_configuration(address.bucket)
    except ServiceError as error:
        raise Error(
            f"{address} is there, but its objects cannot be locked: {error.message}",
            hint="lock is set when a bucket is made; not every service has it",
        ) from error
