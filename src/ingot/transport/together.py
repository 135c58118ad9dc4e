"""Doing the same with many things at once, so that a failure or Ctrl-C ends all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

from ingot.transport.cord import GLANCE_S, branch

_Item = TypeVar("_Item")


def each(work: Callable[[_Item], None], items: Iterable[_Item], *, at_once: int) -> None:
    """Do the work on every item in several threads.

    The first failure, or what interrupts the wait, is raised: those that run are cut off the
    network, the others are dropped, and all have ended then.

    Args:
        work: what is done.
        items: what with.
        at_once: threads.
    """
    # Cut first, then waited for.
    with ThreadPoolExecutor(at_once) as threads, branch() as cord:
        running = {threads.submit(cord.run, work, item) for item in items}
        try:
            while running:
                done, running = wait(running, GLANCE_S, FIRST_EXCEPTION)
                for future in done:
                    future.result()
        finally:
            for future in running:
                future.cancel()
