"""`ingot rb`: remove buckets."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@click.option("--force", is_flag=True, help="Delete what is in it first, all versions.")
@click.option(
    "--dangerous", is_flag=True, help="With --force: an ALIAS stands for all its buckets."
)
@output_options
def rb(printer: Printer, *, targets: tuple[str, ...], force: bool, dangerous: bool) -> None:
    """Remove buckets. One that is not empty is kept, unless --force empties it first.

    With --force a bucket that is not there is no error.

    \b
    Examples:
      ingot rb store/photos
      ingot rb --force store/photos
    """
    from ingot.base.errors import NotFoundError
    from ingot.cli._objects import Reporter, each
    from ingot.client.addresses import RemoteAddress, parse_bucket, parse_remote
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

        def remove(address: RemoteAddress) -> None:
            try:
                if force:
                    empty(address)
                connections.client(address.alias).delete_bucket(address.bucket)
            except NotFoundError:
                if not force:
                    raise
                printer.note(f"{address} was not there")
                return
            printer.data({"bucket": str(address)}, f"removed {address}")

        def act(target: str) -> None:
            address = parse_remote(target, book)
            if address.bucket or not (force and dangerous):
                remove(parse_bucket(target, book))
                return
            buckets = connections.client(address.alias).list_buckets()
            named = [RemoteAddress(address.alias, bucket.name) for bucket in buckets]
            each(printer, named, remove)

        each(printer, targets, act)
