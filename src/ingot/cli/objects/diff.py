"""`ingot diff`: how two trees differ."""

from __future__ import annotations

from pathlib import Path

import click

from ingot.cli._completion import complete_address
from ingot.cli.compare import is_build, show_changes
from ingot.cli.printer import Printer, output_options


@click.command()
@click.argument("first", shell_complete=complete_address)
@click.argument("second", shell_complete=complete_address)
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out names that match; `*` also crosses `/`. May be repeated.",
)
@output_options
def diff(printer: Printer, *, first: str, second: str, exclude: tuple[str, ...]) -> int:
    """Tell what differs between a folder and a bucket, or two buckets, by content.

    `<` is only in FIRST, `>` only in SECOND, `!` differs. The exit code is 0 if nothing
    does, 1 if something does, and another if the two could not be compared. Of two builds of
    appliances (DIR/NAME each) it tells what `ingot compare` tells.

    \b
    Examples:
      ingot diff ./photos store/photos
      ingot diff store/photos backup/photos && echo same
      ingot diff released/store out/store
    """
    if not exclude and is_build(first) and is_build(second):
        return show_changes(printer, Path(first), Path(second))
    from ingot.base.clock import SystemClock
    from ingot.cli._objects import Reporter
    from ingot.cli.objects._copies import parse_sides
    from ingot.client.comparing import differences, open_compared
    from ingot.client.connections import Connections
    from ingot.client.copier import Copier
    from ingot.client.digests import ContentDigests
    from ingot.client.entries import Selection
    from ingot.client.pool import WORKERS_DEFAULT

    (one,), other = parse_sides([first], second)
    reporter = Reporter(printer)
    with Connections() as connections, printer.progress() as progress:
        copier = Copier(connections, ContentDigests(SystemClock()))
        pair = open_compared(one, other, connections, copier, Selection(exclude))
        reporter.show(differences(pair, progress, workers=WORKERS_DEFAULT))
    reporter.finish(summary=False)
    return 1 if reporter.tally.differing else 0
