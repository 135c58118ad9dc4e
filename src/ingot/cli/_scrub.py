"""Scrubbing a directory from the command line: what was found, gathered for printing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ingot.store.check import PROBLEMS_MAX
from ingot.store.scrub import ScrubRecord
from ingot.store.store import ObjectStore
from ingot.store.verify import Damage


class ScrubReport:
    """A `Watcher` that adds up.

    Args:
        advance: called with the number of bytes just verified.

    Attributes:
        records: of objects, versions and parts.
        verified_bytes: of bodies outside the catalog.
        problem_count: how many things are damaged.
        damages: the first `PROBLEMS_MAX` of them.
    """

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self.records = 0
        self.verified_bytes = 0
        self.problem_count = 0
        self.damages: list[Damage] = []

    def stands(self, state: ScrubRecord) -> None:
        """Take what only a server keeps."""

    def verified(self, rows: int, size_bytes: int) -> None:
        """Add what was read."""
        self.records += rows
        self.verified_bytes += size_bytes
        self._advance(size_bytes)

    def damaged(self, damage: Damage) -> None:
        """Add what is not as it was written."""
        self.problem_count += 1
        if len(self.damages) < PROBLEMS_MAX:
            self.damages.append(damage)

    def passed(self) -> None:
        """Take that everything was read."""


async def scrub_directory(root: Path, report: ScrubReport, *, rate_bytes: int) -> None:
    """Verify a store that servers may be using.

    Raises:
        StoreFormatError: it is of a newer version, or its files are none of a store.
        StoreFailedError: the catalog cannot be read.
    """
    store = ObjectStore.open(root)
    try:
        await store.scrubber.once(report, rate_bytes=rate_bytes)
    finally:
        store.close()
