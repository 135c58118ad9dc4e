"""Changing a lifecycle rule: what is said replaces, what is not said stays."""

from __future__ import annotations

from typing import Any

import pytest

from ingot.base.errors import UsageError
from ingot.client.lifecycle import Wish, applied
from ingot.s3.documents.lifecycle import (
    LifecycleRule,
    NoncurrentExpiration,
    NoncurrentTransition,
    Transition,
)

MOVES = LifecycleRule(
    "moves",
    transitions=(Transition("GLACIER", 3),),
    noncurrent_expiration=NoncurrentExpiration(7, 2),
    noncurrent_transitions=(NoncurrentTransition("GLACIER", 4, 5),),
)


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({"transition_days": 9}, {"transitions": (Transition("GLACIER", 9),)}),
        ({"transition_date_ns": 10}, {"transitions": (Transition("GLACIER", None, 10),)}),
        ({"transition_class": "COLD"}, {"transitions": (Transition("COLD", 3),)}),
        (
            {"noncurrent_expire_days": 1},
            {"noncurrent_expiration": NoncurrentExpiration(1, 2)},
        ),
        (
            {"noncurrent_expire_keep": 9},
            {"noncurrent_expiration": NoncurrentExpiration(7, 9)},
        ),
        (
            {"noncurrent_transition_keep": 1},
            {"noncurrent_transitions": (NoncurrentTransition("GLACIER", 4, 1),)},
        ),
        (
            {"noncurrent_transition_days": 8},
            {"noncurrent_transitions": (NoncurrentTransition("GLACIER", 8, 5),)},
        ),
        (
            {"noncurrent_transition_class": "COLD"},
            {"noncurrent_transitions": (NoncurrentTransition("COLD", 4, 5),)},
        ),
    ],
)
def test_the_rest_stays(said: dict[str, Any], changed: dict[str, Any]) -> None:
    assert applied(MOVES, Wish(**said)) == MOVES._replace(**changed)


@pytest.mark.parametrize("said", [{"transition_days": 1}, {"noncurrent_transition_days": 1}])
def test_a_new_move_needs_a_place(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="say both"):
        applied(LifecycleRule("new"), Wish(**said))
