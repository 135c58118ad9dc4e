"""`ingot cat`: objects to standard output."""

from __future__ import annotations

import sys

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_remote)
@output_options
def cat(printer: Printer, *, targets: tuple[str, ...]) -> None:
    """Print objects, one after the other, as they are.

    The bytes are verified; if they are not those that were stored, the exit code is 1.

    \b
    Examples:
      ingot cat store/notes/today.txt
      ingot cat store/backup/db.tar.gz | tar -xz
    """
    from ingot.cli._objects import each
    from ingot.client.addresses import parse_object
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.streams import read_object

    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            address = parse_object(target, book)
            for piece in read_object(connections.client(address.alias), address):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

        each(printer, targets, act)
