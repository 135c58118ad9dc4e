"""`ingot compare`: what changed between two builds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from ingot.appliance.contents import Change


@click.command()
@click.argument("old", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.option("--exit-code", is_flag=True, help="End with 1 if anything differs.")
@output_options
def compare(printer: Printer, *, old: Path, new: Path, exit_code: bool) -> int:
    """Show the images, packages and files that differ between two builds (DIR/NAME each).

    Lines begin with + for what is new, - for what is gone, and ~ for what changed.

    \b
    Examples:
      ingot compare released/store out/store
      ingot compare --exit-code --quiet released/store out/store
    """
    differs = show_changes(printer, old, new)
    return differs if exit_code else 0


def is_build(text: str) -> bool:
    """Say whether `DIR/NAME` is a build, by its manifest."""
    return Path(f"{text}.manifest.json").is_file()


def show_changes(printer: Printer, old: Path, new: Path) -> int:
    """Print what differs between two builds; return 1 if anything does, else 0."""
    from ingot.appliance.contents import compare as run_compare
    from ingot.appliance.contents import read_contents

    changes = run_compare(read_contents(old), read_contents(new))
    for change in changes:
        document = {
            "kind": change.kind,
            "name": change.name,
            "before": change.before,
            "after": change.after,
        }
        printer.data(document, _text(change))
    printer.note(f"{len(changes)} differences" if changes else "the builds have equal contents")
    return 1 if changes else 0


def _text(change: Change) -> str:
    if change.before is None:
        sign, detail = "+", change.after
    elif change.after is None:
        sign, detail = "-", change.before
    else:
        sign, detail = "~", _difference(change)
    return f"{sign} {change.kind} {change.name}  {detail}".rstrip()


def _difference(change: Change) -> str:
    """Return what differs: of a file only the attributes that do."""
    assert change.before is not None
    assert change.after is not None
    if change.kind != "file":
        return f"{change.before or '-'} → {change.after or '-'}"
    before, after = change.before.split(" "), change.after.split(" ")
    gone = [word for word in before if word not in after]
    come = [word for word in after if word not in before]
    return f"{' '.join(gone)} → {' '.join(come)}"
