"""What `cp` and `mv` share: reading the two sides, and carrying out what goes between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingot.cli._objects import Reporter
from ingot.cli.printer import Printer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingot.client.addresses import Address
    from ingot.client.ages import Age
    from ingot.client.connections import Connections
    from ingot.client.copier import Copier
    from ingot.client.entries import Selection
    from ingot.client.execute import Conduct
    from ingot.client.versions import Choice


def parse_sides(sources: Sequence[str], target: str) -> tuple[list[Address], Address]:
    """Read the sources and the target.

    Raises:
        UsageError: one is empty, or the target looks like a misspelt alias.
    """
    from ingot.client.addresses import LocalAddress, check_intended_local, parse_address
    from ingot.client.aliases import AliasBook

    book = AliasBook.default()
    goal = parse_address(target, book)
    parsed = [parse_address(source, book) for source in sources]
    if isinstance(goal, LocalAddress):
        are_local = all(isinstance(source, LocalAddress) for source in parsed)
        check_intended_local(goal, book, is_source_local=are_local)
    return parsed, goal


def any_stream(sides: Sequence[Address]) -> bool:
    """Tell whether one side is standard input or output."""
    from ingot.client.addresses import LocalAddress

    return any(isinstance(one, LocalAddress) and one.is_stream for one in sides)


def carry_out(
    printer: Printer,
    connections: Connections,
    copier: Copier,
    conduct: Conduct,
    *,
    sources: Sequence[Address],
    target: Address,
    folders: Selection | None,
    follow_links: bool,
    age: Age | None = None,
) -> None:
    """Copy (or move, with a copier that does) and print what happens.

    Args:
        printer: where to.
        connections: to the services.
        copier: moves contents.
        conduct: how.
        sources: what.
        target: where to.
        folders: copy folders too, what this admits of them; None for single contents only.
        follow_links: take what links in folders lead to.
        age: only what was written then.

    Raises:
        Error: something failed.
    """
    from ingot.client.copying import CopyJob

    alone = len(sources) == 1 and folders is None
    reporter = Reporter(printer, dry_run=conduct.dry_run, alone=alone)
    with printer.progress() as progress:
        job = CopyJob(connections, copier, conduct, progress, age=age)
        if folders is not None:
            reporter.show(job.folders(sources, target, folders, follow_links=follow_links))
        else:
            reporter.show(job.singles(sources, target))
    reporter.finish(summary=True)


def carry_past(
    printer: Printer,
    connections: Connections,
    copier: Copier,
    conduct: Conduct,
    *,
    sources: Sequence[Address],
    target: Address,
    choice: Choice,
    selection: Selection,
) -> None:
    """Copy versions and print what happens; see `carry_out` for the arguments.

    Raises:
        Error: something failed.
    """
    from ingot.client.pastcopying import PastCopyJob

    alone = len(sources) == 1 and not choice.recursive
    reporter = Reporter(printer, dry_run=conduct.dry_run, alone=alone)
    with printer.progress() as progress:
        job = PastCopyJob(connections, copier, conduct, progress)
        reporter.show(job.events(sources, target, choice, selection))
    reporter.finish(summary=True)
