"""`ingot rm`: delete objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_remote
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.cli._objects import Reporter
    from ingot.client.addresses import RemoteAddress
    from ingot.client.connections import Connections


@click.command()
@click.argument("targets", nargs=-1, shell_complete=complete_remote)
@click.option("--recursive", "-r", is_flag=True, help="Delete a folder, all below it.")
@click.option("--force", is_flag=True, help="Do not ask; what is not there is no error.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, change nothing.")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read addresses from input, one a line.")
@output_options
def rm(
    printer: Printer,
    *,
    targets: tuple[str, ...],
    recursive: bool,
    force: bool,
    dry_run: bool,
    from_stdin: bool,
) -> None:
    """Delete objects.

    With --recursive, an address without a slash at its end means the object of this very name and
    the folder of this name, never other names that begin alike.

    \b
    Examples:
      ingot rm store/photos/cat.jpg
      ingot rm --recursive --force store/photos/2024/
      ingot rm --recursive --dry-run store/photos
      ingot rm --stdin < names.txt
    """
    from ingot.base.errors import UsageError
    from ingot.cli._objects import Reporter, each
    from ingot.client.addresses import parse_object, parse_remote
    from ingot.client.aliases import AliasBook
    from ingot.client.connections import Connections

    if not targets and not from_stdin:
        raise UsageError("nothing to delete was named", hint="see 'ingot rm --help'")
    book = AliasBook.default()
    reporter = Reporter(printer, dry_run=dry_run)
    if recursive and not (dry_run or printer.confirm(_question(targets), yes=force)):
        raise UsageError("nothing was deleted", hint="add --force to delete without asking")
    with Connections() as connections:

        def act(target: str) -> None:
            if recursive:
                _remove_folder(reporter, connections, parse_remote(target, book), force, dry_run)
            else:
                _remove_one(reporter, connections, parse_object(target, book), force, dry_run)

        each(printer, chain(targets, _lines() if from_stdin else ()), act)
    reporter.finish(summary=False)


def _remove_one(
    reporter: Reporter,
    connections: Connections,
    address: RemoteAddress,
    force: bool,
    dry_run: bool,
) -> None:
    from ingot.base.errors import NotFoundError
    from ingot.client.events import Removed

    client = connections.client(address.alias)
    size_bytes = 0
    if not force:
        try:
            size_bytes = client.head_object(address.bucket, address.key).size_bytes
        except NotFoundError as error:
            raise NotFoundError(
                f"{address} does not exist",
                hint="a folder is deleted with --recursive",
            ) from error
    if not dry_run:
        client.delete_object(address.bucket, address.key)
    reporter.tell(Removed(str(address), size_bytes))


def _remove_folder(
    reporter: Reporter,
    connections: Connections,
    address: RemoteAddress,
    force: bool,
    dry_run: bool,
) -> None:
    from ingot.base.errors import NotFoundError, UsageError
    from ingot.client.buckettree import BucketTree
    from ingot.client.removal import remove_all

    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="buckets are removed with 'ingot rb'")
    client = connections.client(address.alias)
    if address.names_folder:
        tree, below = BucketTree(client, address), ""
    else:
        # Listed from the bucket's root, so that the object of this name comes along.
        tree, below = BucketTree(client, address.at("")), address.key
    before = reporter.tally.removed + reporter.tally.failed
    reporter.show(remove_all(tree, tree.entries(below), dry_run=dry_run))
    found = reporter.tally.removed + reporter.tally.failed > before
    if not found and address.key and not force:
        raise NotFoundError(f"there is nothing at {address}")


def _question(targets: tuple[str, ...]) -> str:
    return f"Delete everything below {', '.join(targets) or 'the addresses of the input'}?"


def _lines() -> Iterator[str]:
    return (line.rstrip("\n") for line in sys.stdin if line.strip())
