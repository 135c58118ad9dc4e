"""How much room is left on a device, and how much of it stays free so that deleting works.

Deleting needs room too: the catalog logs a change before it makes it. A device that was filled to
the last byte could never be emptied again through the store.
"""

from __future__ import annotations

import os
from pathlib import Path

from ingot.base.units import MIB
from ingot.store.errors import StoreFullError

# What bodies leave free, and what of it small changes leave free for deletions.
RESERVE_BYTES_MAX = 64 * MIB
# On small devices the reserve is this fraction of the device instead.
RESERVE_FRACTION = 50


class Space:
    """The room on the device of a directory.

    Args:
        directory: any directory of the device.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def check_body(self, size_bytes: int) -> None:
        """Refuse a body that would eat into the reserve.

        Raises:
            StoreFullError: there is no room for so many bytes.
        """
        free_bytes, reserve_bytes = self._measure()
        if free_bytes - size_bytes < reserve_bytes:
            raise StoreFullError(
                f"the device of {self._directory} has {max(0, free_bytes - reserve_bytes)} bytes"
                f" left, and {size_bytes} are needed",
                hint="free some space",
            )

    def only_for_deletions(self) -> bool:
        """Tell whether so little is left that the catalog must not grow."""
        free_bytes, reserve_bytes = self._measure()
        return free_bytes < reserve_bytes // 2

    def is_scarce(self) -> bool:
        """Tell whether bodies are refused or soon will be."""
        free_bytes, reserve_bytes = self._measure()
        return free_bytes < 2 * reserve_bytes

    def log_bytes_max(self) -> int:
        """Return how large the catalog's log may become, so that emptying it fits the reserve."""
        return self._measure()[1] // 2

    def _measure(self) -> tuple[int, int]:
        """Return the free bytes of the device and the bytes of the reserve."""
        status = os.statvfs(self._directory)
        total_bytes = status.f_blocks * status.f_frsize
        reserve_bytes = min(RESERVE_BYTES_MAX, total_bytes // RESERVE_FRACTION)
        return status.f_bavail * status.f_frsize, reserve_bytes
