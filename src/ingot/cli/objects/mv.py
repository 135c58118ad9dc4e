"""`ingot mv`: move files and objects."""

from __future__ import annotations

import click

from ingot.cli._completion import complete_address
from ingot.cli._objects import transfer_options
from ingot.cli._writing import writing_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("sources", nargs=-1, required=True, shell_complete=complete_address)
@click.argument("target", shell_complete=complete_address)
@click.option("--recursive", "-r", is_flag=True, help="Move what is in folders.")
@click.option("--older-than", metavar="DURATION", help="Only what was written longer ago.")
@click.option("--newer-than", metavar="DURATION", help="Only what was written since then.")
@given_options
@writing_options
@transfer_options
@output_options
def mv(
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
    """Move files and objects, replacing what is there.

    Each source is removed once its copy is whole, and only if it did not change meanwhile; what
    fails stays where it was. Slashes at the end mean what they mean to `ingot cp`.

    \b
    Examples:
      ingot mv store/photos/cat.jpg store/photos/2026/
      ingot mv --recursive ./scans/ store/scans
      ingot mv --recursive store/inbox backup/inbox
    """
    from ingot.base.clock import SystemClock
    from ingot.base.errors import UsageError
    from ingot.cli._ages import age_of
    from ingot.cli.objects._copies import any_stream, carry_out, parse_sides
    from ingot.client.connections import Connections
    from ingot.client.digests import ContentDigests
    from ingot.client.entries import Selection
    from ingot.client.execute import Conduct
    from ingot.client.given import Given
    from ingot.client.moving import MovingCopier

    parsed, goal = parse_sides(sources, target)
    if any_stream([*parsed, goal]):
        raise UsageError("a stream cannot be moved", hint="use 'ingot pipe' or 'ingot cat'")
    given = Given(**said)
    given.check()
    conduct = Conduct(overwrite=True, dry_run=dry_run, attempts=attempts, workers=workers)
    with Connections() as connections:
        carry_out(
            printer,
            connections,
            MovingCopier(
                connections, ContentDigests(SystemClock()), keep_times=preserve, given=given
            ),
            conduct,
            sources=parsed,
            target=goal,
            folders=Selection(exclude) if recursive else None,
            follow_links=follow_symlinks,
            age=age_of(older_than, newer_than),
        )
