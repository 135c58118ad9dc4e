"""Tables for people: columns as wide as they need, cut to the terminal's width."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence

from ingot.cli.printer import visible

_GAP = "  "
_COLUMN_LEAST = 8


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; on a terminal the widest columns are cut until it fits.

    What is no terminal gets everything.
    """
    shown = [[visible(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[index]) for row in shown) for index in range(len(headings))]
    if sys.stdout.isatty():
        widths = fitted(widths, shutil.get_terminal_size().columns - len(_GAP) * (len(widths) - 1))
    return "\n".join(
        _GAP.join(
            _cut(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in shown
    )


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return the widths of columns that have so much room together, the widest cut first."""
    cut = list(widths)
    while sum(cut) > room and max(cut) > _COLUMN_LEAST:
        cut[cut.index(max(cut))] -= 1
    return cut


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"
