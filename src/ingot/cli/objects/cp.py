"""`ingot cp`: copy files and objects."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from ingot.cli._completion import complete_address
from ingot.cli._objects import Reporter, transfer_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.addresses import Address
    from ingot.client.connections import Connections
    from ingot.client.given import Given


@click.command()
@click.argument("sources", nargs=-1, required=True, shell_complete=complete_address)
@click.argument("target", shell_complete=complete_address)
@click.option("--recursive", "-r", is_flag=True, help="Copy folders.")
@click.option("--older-than", metavar="DURATION", help="Only what was written longer ago.")
@click.option("--newer-than", metavar="DURATION", help="Only what was written since then.")
@given_options
@transfer_options
@output_options
def cp(
    printer: Printer,
    *,
    sources: tuple[str, ...],
    target: str,
    recursive: bool,
    older_than: str | None,
    newer_than: str | None,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    preserve: bool,
    dry_run: bool,
    attempts: int,
    workers: int,
    **said: str | None,
) -> None:
    """Copy files and objects, replacing what is there.

    Within one alias objects are copied by the server. `-` is standard input or output.
    As with rsync, FOLDER/ means what is in the folder, FOLDER the folder itself.

    \b
    Examples:
      ingot cp cat.jpg store/photos/
      ingot cp --recursive ./photos/ store/photos/2026
      ingot cp --recursive store/photos ./copy
      ingot cp store/photos/cat.jpg backup/photos/cat.jpg
      ingot cp --recursive --newer-than 1d --storage-class STANDARD_IA ./logs/ store/logs
      pg_dump db | ingot cp - store/backup/db.sql
    """
    from ingot.base.clock import SystemClock
    from ingot.base.paths import cache_dir, state_dir
    from ingot.cli._ages import age_of
    from ingot.cli.objects._copies import any_stream, carry_out, parse_sides
    from ingot.client.connections import Connections
    from ingot.client.copier import Copier
    from ingot.client.digests import ContentDigests
    from ingot.client.digeststore import DigestStore
    from ingot.client.entries import Selection
    from ingot.client.execute import Conduct
    from ingot.client.given import Given
    from ingot.client.journal import Journal

    parsed, goal = parse_sides(sources, target)
    given = Given(**said)
    given.check()
    conduct = Conduct(overwrite=True, dry_run=dry_run, attempts=attempts, workers=workers)
    with Connections() as connections, ExitStack() as stack:
        if any_stream([*parsed, goal]):
            reporter = Reporter(printer, dry_run=dry_run, alone=True)
            _copy_stream(reporter, connections, parsed, goal, given, dry_run=dry_run)
            return
        # A later mirror need not read what was not touched since.
        memory = stack.enter_context(DigestStore(cache_dir())) if recursive else None
        journal = Journal(state_dir() / "uploads")
        digests = ContentDigests(SystemClock(), memory)
        carry_out(
            printer,
            connections,
            Copier(connections, digests, keep_times=preserve, given=given, journal=journal),
            conduct,
            sources=parsed,
            target=goal,
            folders=Selection(exclude) if recursive else None,
            follow_links=follow_symlinks,
            age=age_of(older_than, newer_than),
        )


def _copy_stream(
    reporter: Reporter,
    connections: Connections,
    sources: Sequence[Address],
    target: Address,
    given: Given,
    *,
    dry_run: bool,
) -> None:
    """Copy standard input to an object, or one object to standard output."""
    from ingot.base.errors import UsageError
    from ingot.client.addresses import RemoteAddress
    from ingot.client.events import Copied
    from ingot.client.streams import read_object, write_object

    source = sources[0]
    hint = "one side is '-', the other ALIAS/BUCKET/KEY"
    if len(sources) > 1:
        raise UsageError("'-' stands alone with one object", hint=hint)
    if isinstance(target, RemoteAddress):
        if not target.bucket or target.names_folder:
            raise UsageError(f"{target} is no object to write the input to", hint=hint)
        if not dry_run:
            client = connections.client(target.alias)
            size_bytes = write_object(client, target, sys.stdin.buffer, given.for_name(target.key))
            reporter.tell(Copied("-", str(target), size_bytes))
        return
    if not isinstance(source, RemoteAddress) or not source.key or not target.is_stream:
        raise UsageError(f"{source} and {target} cannot be copied as a stream", hint=hint)
    if not dry_run:
        for piece in read_object(connections.client(source.alias), source):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
