"""Reading one item ahead: the next page of a listing is on its way while one is worked through."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue
from typing import TypeVar

_Item = TypeVar("_Item")


def read_ahead(items: Iterator[_Item]) -> Generator[_Item]:
    """Yield what an iterator yields, while it makes its next item in a thread.

    The thread is a daemon: nobody who gives up waits for a peer that does not answer.

    Raises:
        BaseException: what the iterator raised, in its turn.
    """
    asked: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[_Item | _Last] = SimpleQueue()

    def serve() -> None:
        while asked.get():
            try:
                made.put(next(items))
            except StopIteration:
                made.put(_Last(None))
            except BaseException as error:  # noqa: BLE001 # it is raised where the item was due
                made.put(_Last(error))

    threading.Thread(target=serve, name="read-ahead", daemon=True).start()
    asked.put(True)
    try:
        while not isinstance(item := made.get(), _Last):
            asked.put(True)
            yield item
        if item.error is not None:
            raise item.error
    finally:
        asked.put(False)


class _Last:
    """Stands where no more items come: at the end, or because of an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
