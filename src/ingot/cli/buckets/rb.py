"""`ingot rb`: remove buckets."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--force", is_flag=True, help="Delete what is in it first, all versions.")
@output_options
def rb(printer: Printer, *, targets: tuple[str, ...], force: bool) -> None:
    """Remove buckets. One that is not empty is kept, unless --force empties it first.

    \b
    Examples:
      ingot rb store/photos
      ingot rb --force store/photos
    """
    from ingot.cli._objects import Reporter, each
    from ingot.client.addresses import RemoteAddress, parse_bucket
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.removal import abort_uploads, remove_chosen
    from ingot.client.versions import Choice, select
    from ingot.s3client.errors import ServiceUnsupportedError

    book = AliasBook.default()
    with Connections() as connections:

        def empty(address: RemoteAddress) -> None:
            client = connections.client(address.alias)
            reporter = Reporter(printer)
            try:
                versions = client.get_bucket_versioning(address.bucket) is not None
            except ServiceUnsupportedError:
                versions = False
            choice = Choice(recursive=True, every_version=versions)
            reporter.show(remove_chosen(client, select(client, address, choice)))
            reporter.finish(summary=False)
            abort_uploads(client, address.bucket)

        def act(target: str) -> None:
            address = parse_bucket(target, book)
            if force:
                empty(address)
            connections.client(address.alias).delete_bucket(address.bucket)
            printer.data({"bucket": str(address)}, f"removed {address}")

        each(printer, targets, act)
