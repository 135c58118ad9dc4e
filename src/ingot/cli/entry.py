"""Starts the `ingot` command: what must be so before anything large is imported."""

from __future__ import annotations

import gc
from typing import NoReturn

# Objects go by their reference counts. Looking for cycles among them takes a tenth of a start, and
# of a run that lists or copies much.
_GC_THRESHOLDS = (100_000, 20, 20)


def main() -> NoReturn:
    """Run the command line and exit with its code."""
    gc.set_threshold(*_GC_THRESHOLDS)
    from ingot.cli.main import main as run

    try:
        run()
    finally:
        # The process is about to end: nobody needs what a last search for cycles would free.
        gc.freeze()
