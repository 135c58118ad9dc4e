"""One item is made while another is used, never two, and errors come in their turn."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from ingot.client.ahead import read_ahead

TIMEOUT_S = 20


class Source:
    """Numbers, each made only when it is asked for; tells how many were."""

    def __init__(self, end: int, error: BaseException | None = None) -> None:
        self.made = threading.Semaphore(0)
        self.count = 0
        self.closed = False
        self._end = end
        self._error = error

    def __iter__(self) -> Iterator[int]:
        for number in range(self._end):
            self.count += 1
            self.made.release()
            yield number
        if self._error is not None:
            raise self._error


def test_all_items_come_in_order() -> None:
    assert list(read_ahead(iter(Source(1000)))) == list(range(1000))
    assert list(read_ahead(iter(()))) == []


def test_one_item_is_made_ahead_and_no_more() -> None:
    source = Source(10)
    with closing(read_ahead(iter(source))) as items:
        for number in range(5):
            assert next(items) == number
            for _ in range(1 if number else 2):
                assert source.made.acquire(timeout=TIMEOUT_S)
            assert source.count == number + 2


def test_an_error_is_raised_where_its_item_was_due() -> None:
    items = read_ahead(iter(Source(2, OSError("broken"))))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(OSError, match="broken"):
        next(items)


def test_whoever_gives_up_does_not_wait_for_the_next_item() -> None:
    gate = threading.Event()

    def slow() -> Iterator[int]:
        yield 0
        gate.wait(TIMEOUT_S)
        yield 1

    with closing(read_ahead(slow())) as items:
        assert next(items) == 0
    assert not gate.is_set()
    gate.set()
