"""`ingot head`: the first lines of objects to standard output."""

from __future__ import annotations

import sys
from contextlib import closing

import click

from ingot.cli._completion import complete_address
from ingot.cli._wire import zip_option
from ingot.cli._writing import key_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@click.option(
    "--lines", "-n", type=click.IntRange(0), default=10, show_default=True, help="How many lines."
)
@click.option("--version-id", "--vid", metavar="ID", help="This version.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24.")
@key_options
@zip_option
@output_options
def head(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    lines: int,
    version_id: str | None,
    rewind: str | None,
) -> None:
    """Print the first lines of objects, or local files; the rest is not fetched.

    \b
    Examples:
      ingot head store/logs/today.log
      ingot head --lines 1 store/tables/a.csv
    """
    from ingot.cli._objects import each
    from ingot.cli.buckets._settings import choice_of, refuse_history
    from ingot.client.addresses import LocalAddress, parse_object, parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.streams import first_lines, read_file, read_object
    from ingot.client.versions import chosen

    choice = choice_of(recursive=False, version_id=version_id, every_version=False, rewind=rewind)
    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            if isinstance(place := parse_place(target, book), LocalAddress):
                refuse_history(place, choice)
                opened = read_file(place.path)
            else:
                address = parse_object(target, book)
                client = connections.client(address.alias)
                (item,) = chosen(client, address, choice)
                opened = read_object(client, address, version_id=item.version_id)
            with closing(opened) as pieces:
                for piece in first_lines(pieces, lines):
                    sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

        each(printer, targets, act)
