"""`ingot mb`: make buckets."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--ignore-existing", "-p", is_flag=True, help="An own bucket of that name is fine.")
@click.option("--region", help="Where to make it, for services with several regions.")
@output_options
def mb(
    printer: Printer, *, targets: tuple[str, ...], ignore_existing: bool, region: str | None
) -> None:
    """Make buckets.

    \b
    Examples:
      ingot mb store/photos
      ingot mb --ignore-existing store/photos store/films
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
            try:
                client.create_bucket(address.bucket, region=where)
            except ServiceError as error:
                if not (ignore_existing and error.code == "BucketAlreadyOwnedByYou"):
                    raise
                printer.data({"bucket": str(address), "region": where}, f"{address} was there")
            else:
                printer.data({"bucket": str(address), "region": where}, f"made {address}")

        each(printer, targets, act)
