"""What readers may hold: much when they are few, little when they are many, and never nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingot.base.units import KIB, MIB
from ingot.store.readbudget import (
    BUDGET_BYTES,
    PIECE_BYTES_MAX,
    PIECE_BYTES_MIN,
    ReadBudget,
)


def test_a_lone_reader_gets_large_pieces_for_ever() -> None:
    budget = ReadBudget()
    for _ in range(100):
        granted = [budget.take(256 * MIB), budget.take(256 * MIB)]
        assert granted[0] == PIECE_BYTES_MAX
        assert granted[1] > PIECE_BYTES_MAX // 2
        assert budget.is_roomy
        for size_bytes in granted:
            budget.give_back(size_bytes)


def test_nobody_gets_more_than_is_wanted_beyond_the_smallest_piece() -> None:
    budget = ReadBudget()
    assert budget.take(100 * KIB) == 100 * KIB
    assert budget.take(1) == PIECE_BYTES_MIN


def test_a_thousand_readers_that_hold_on_stay_within_the_budget_and_small_pieces() -> None:
    budget = ReadBudget()
    granted = [budget.take(64 * MIB) for _ in range(1000)]
    assert min(granted) == PIECE_BYTES_MIN
    assert sum(granted) <= BUDGET_BYTES + 1000 * PIECE_BYTES_MIN
    assert not budget.is_roomy
    for size_bytes in granted:
        budget.give_back(size_bytes)
    assert budget.take(64 * MIB) == PIECE_BYTES_MAX


@given(st.lists(st.integers(1, 300 * MIB), max_size=300))
def test_grants_are_bounded(wanted: list[int]) -> None:
    budget = ReadBudget()
    granted = [budget.take(size_bytes) for size_bytes in wanted]
    assert all(PIECE_BYTES_MIN <= size_bytes <= PIECE_BYTES_MAX for size_bytes in granted)
    assert sum(granted) <= BUDGET_BYTES + len(wanted) * PIECE_BYTES_MIN
