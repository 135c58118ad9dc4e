"""Cutting transfers into parts and running them in a bounded number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from ingot.base.errors import Error
from ingot.base.limits import COPY_BYTES_MAX, PARTS_MAX
from ingot.base.units import MIB
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import Advance
from ingot.transport.cord import GLANCE_S, branch

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class TransferOptions:
    """When and how a transfer is cut into parts.

    Attributes:
        part_bytes: the size of a part; grows when 10,000 of them would not do.
        split_from_bytes: smaller files and objects move in one piece.
        parts_at_once: threads, over all transfers of one engine.
        copy_from_bytes: larger objects are copied within a service in parts, as they must be.
        memory_bytes: files up to this size are read into memory and sent without framing.
    """

    part_bytes: int = 16 * MIB
    split_from_bytes: int = 64 * MIB
    parts_at_once: int = 4
    copy_from_bytes: int = COPY_BYTES_MAX
    memory_bytes: int = 1 * MIB

    def parts(self, size_bytes: int) -> list[ByteRange]:
        """Cut a size into at most 10,000 parts."""
        part_bytes = self.part_bytes
        while part_bytes * PARTS_MAX < size_bytes:
            part_bytes *= 2
        return [
            ByteRange(start, min(part_bytes, size_bytes - start))
            for start in range(0, size_bytes, part_bytes)
        ]


class StoppedTransferError(Error):
    """Another part of the same transfer failed; that failure is the one to report."""

    slug = "stopped"


class Meter:
    """Counts the bytes of one transfer for all its threads, and ends them when one failed.

    Args:
        advance: told of bytes, by one thread at a time; it may raise to stop the transfer.
    """

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._lock = threading.Lock()
        self._stopped = False

    def __call__(self, amount_bytes: int) -> None:
        """Count.

        Raises:
            StoppedTransferError: `stop` was called.
        """
        with self._lock:
            if self._stopped:
                raise StoppedTransferError("another part of the transfer failed")
            self._advance(amount_bytes)

    def stop(self) -> None:
        """Make every further count raise."""
        with self._lock:
            self._stopped = True


def _is_of_a_stop(failure: BaseException) -> bool:
    return isinstance(failure, StoppedTransferError)


def run_parts(
    threads: ThreadPoolExecutor,
    work: Callable[[_Item], _Result],
    items: Sequence[_Item],
    meter: Meter,
) -> list[_Result]:
    """Do the work on every item and return the results in order.

    The first failure, or what interrupts the wait, is raised at once: the parts that run are cut
    off the network and have ended then, the others were dropped.
    """
    futures: list[Future[_Result]] = []
    try:
        with branch() as cord:
            futures += (threads.submit(cord.run, work, item) for item in items)
            running = set(futures)
            while running:
                done, running = wait(futures, GLANCE_S, FIRST_EXCEPTION)
                failures = [failure for future in done if (failure := future.exception())]
                # The failure that came first stopped the others, so it is none of a stop.
                for failure in sorted(failures, key=_is_of_a_stop):
                    raise failure
            return [future.result() for future in futures]
    finally:
        meter.stop()
        for future in futures:
            future.cancel()
        wait(futures)
