"""`ingot cat`: objects to standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click

from ingot.cli._completion import complete_address
from ingot.cli._wire import zip_option
from ingot.cli._writing import key_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("targets", nargs=-1, required=True, shell_complete=complete_address)
@click.option("--version-id", "--vid", metavar="ID", help="This version of one object.")
@click.option("--rewind", metavar="MOMENT", help="What was there then: 7d (ago), 2026-11-24.")
@click.option("--offset", metavar="SIZE", help="Leave so much out at the beginning.")
@click.option("--tail", metavar="SIZE", help="Only so much at the end.")
@click.option("--part-number", type=click.IntRange(1, 10_000), help="Only this part of its upload.")
@key_options
@zip_option
@output_options
def cat(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    version_id: str | None,
    rewind: str | None,
    offset: str | None,
    tail: str | None,
    part_number: int | None,
) -> None:
    """Print objects, or local files, one after the other, as they are.

    The bytes are verified; if they are not those that were stored, the exit code is 1. A part of an
    object (--offset, --tail, --part-number) cannot be verified.

    \b
    Examples:
      ingot cat store/notes/today.txt
      ingot cat store/backup/db.tar.gz | tar -xz
      ingot cat --rewind 1d store/notes/today.txt
      ingot cat --tail 1K store/logs/today.log
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_size
    from ingot.cli._objects import each
    from ingot.cli.buckets._settings import choice_of, refuse_history
    from ingot.client.addresses import LocalAddress, parse_object, parse_place
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections
    from ingot.client.streams import read_file, read_object, read_part, read_stretch
    from ingot.client.versions import chosen

    if sum(one is not None for one in (offset, tail, part_number)) > 1:
        raise UsageError("--offset, --tail and --part-number exclude each other")
    if version_id is not None and len(targets) > 1:
        raise UsageError("a version belongs to one object")
    start, end = (None if text is None else parse_size(text) for text in (offset, tail))
    choice = choice_of(recursive=False, version_id=version_id, every_version=False, rewind=rewind)
    book = AliasBook.default()
    with Connections() as connections:

        def act(target: str) -> None:
            if isinstance(place := parse_place(target, book), LocalAddress):
                refuse_history(place, choice)
                if part_number is not None:
                    raise UsageError(f"{place} is local, and files have no parts")
                _write(read_file(place.path, offset=start or 0, tail=end))
                return
            address = parse_object(target, book)
            client = connections.client(address.alias)
            version = version_id
            if choice.wants_history:
                (found,) = chosen(client, address, choice)
                version = found.version_id
            if part_number is not None:
                pieces = read_part(client, address, part_number, version_id=version)
            elif start is None and end is None:
                pieces = read_object(client, address, version_id=version)
            else:
                pieces = read_stretch(
                    client, address, offset=start or 0, tail=end, version_id=version
                )
            _write(pieces)

        each(printer, targets, act)


def _write(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
