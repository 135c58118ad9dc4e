"""`ingot pipe`: standard input to an object."""

from __future__ import annotations

import sys

import click

from ingot.cli._completion import complete_remote
from ingot.cli._writing import writing_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("target", shell_complete=complete_remote)
@click.option(
    "--part-size",
    default="16M",
    show_default=True,
    metavar="SIZE",
    help="Of the first parts, one of which is in memory; later ones grow.",
)
@click.option(
    "--concurrent",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Parts at once; so many are in memory.",
)
@given_options
@writing_options
@output_options
def pipe(
    printer: Printer, *, target: str, part_size: str, concurrent: int, **said: str | None
) -> None:
    """Store standard input as an object, whatever its length.

    The object appears when the input has ended; if anything fails before, nothing stays.

    \b
    Examples:
      pg_dump db | ingot pipe store/backup/db.sql
      tar -cz . | ingot pipe --content-type application/gzip store/backup/all.tgz
    """
    from ingot.base.errors import UsageError
    from ingot.client.addresses import parse_object
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.given import Given
    from ingot.client.streams import parse_part_size, write_object
    from ingot.client.wire import current

    address = parse_object(target, AliasBook.default())
    if address.names_folder:
        raise UsageError(f"{address} is a folder", hint="write the object's whole key")
    part_bytes = parse_part_size(part_size)
    attributes = Given(**said).for_name(address.key)
    with Connections() as connections:
        size_bytes = write_object(
            connections.client(address.alias),
            address,
            sys.stdin.buffer,
            attributes,
            part_bytes=part_bytes,
            concurrent=concurrent,
            splits=current().split_from_bytes is None,
        )
    printer.data({"target": str(address), "size": size_bytes}, None)
