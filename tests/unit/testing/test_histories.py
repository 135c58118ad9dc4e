"""The checker itself: it accepts what can be explained and refuses what cannot."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from ingot.testing.histories import History, Operation, linearizable


def op(kind, called, returned, value=None, *, outcome="done", expected=None):
    return Operation(kind, called, returned, outcome, value, expected)


GOOD = {
    "empty": [],
    "one after the other": [op("put", 0, 1, "a"), op("get", 2, 3, "a")],
    "nothing yet": [op("get", 0, 1, None)],
    "a read beside a write sees either": [
        op("put", 0, 1, "a"), op("put", 2, 9, "b"), op("get", 3, 4, "a"), op("get", 5, 6, "b"),
    ],
    "two writes in either order": [
        op("put", 0, 5, "a"), op("put", 0, 5, "b"), op("get", 6, 7, "a"),
    ],
    "one of two creators wins": [
        op("put if absent", 0, 5, "a"), op("put if absent", 0, 5, "b", outcome="refused"),
        op("get", 6, 7, "a"),
    ],
    "both create around a deletion": [
        op("put if absent", 0, 9, "a"), op("delete", 0, 9), op("put if absent", 0, 9, "b"),
    ],
    "an exchange": [
        op("put", 0, 1, "a"), op("put if match", 2, 3, "b", expected="a"), op("get", 4, 5, "b"),
    ],
    "a conditional deletion": [
        op("put", 0, 1, "a"), op("delete if match", 2, 3, expected="a"), op("get", 4, 5, None),
    ],
    "a refused conditional deletion": [
        op("put", 0, 1, "a"), op("delete if match", 2, 3, expected="x", outcome="refused"),
        op("get", 4, 5, "a"),
    ],
    "a refused exchange": [
        op("put", 0, 1, "a"), op("put if match", 2, 3, "b", expected="x", outcome="refused"),
        op("get", 4, 5, "a"),
    ],
    "a lost write that happened late": [
        op("put", 0, 1, "a"), op("put", 2, math.inf, "b", outcome="lost"),
        op("get", 3, 4, "a"), op("get", 5, 6, "b"),
    ],
    "a lost write that never happened": [
        op("put", 0, 1, "a"), op("put", 2, math.inf, "b", outcome="lost"), op("get", 3, 4, "a"),
    ],
}  # fmt: skip

BAD = {
    "a lost update": [op("put", 0, 1, "a"), op("get", 2, 3, None)],
    "a stale read": [op("put", 0, 1, "a"), op("put", 2, 3, "b"), op("get", 4, 5, "a")],
    "time runs backwards": [
        op("put", 0, 1, "a"), op("put", 2, 9, "b"), op("get", 3, 4, "b"), op("get", 5, 6, "a"),
    ],
    "a value from nowhere": [op("put", 0, 1, "a"), op("get", 2, 3, "torn")],
    "two creators win": [op("put if absent", 0, 5, "a"), op("put if absent", 0, 5, "b")],
    "nobody wins": [
        op("put if absent", 0, 5, "a", outcome="refused"),
        op("put if absent", 0, 5, "b", outcome="refused"),
    ],
    "two exchanges of one value": [
        op("put", 0, 1, "a"), op("put if match", 2, 9, "b", expected="a"),
        op("put if match", 2, 9, "c", expected="a"),
    ],
    "a conditional deletion of something else": [
        op("put", 0, 1, "a"), op("put", 2, 3, "b"), op("delete if match", 4, 5, expected="a"),
    ],
    "a deletion and an exchange of one value": [
        op("put", 0, 1, "a"), op("put if match", 2, 9, "b", expected="a"),
        op("delete if match", 2, 9, expected="a"),
    ],
    "a resurrected object": [
        op("put", 0, 1, "a"), op("delete", 2, 3), op("get", 4, 5, "a"),
    ],
    "a lost write that is seen and then not": [
        op("put", 0, 1, "a"), op("put", 2, math.inf, "b", outcome="lost"),
        op("get", 3, 4, "b"), op("get", 5, 6, "a"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_can_be_explained_is_accepted(name):
    assert linearizable(GOOD[name])
    assert linearizable(GOOD[name][::-1])


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_explained_is_refused(name):
    assert not linearizable(BAD[name])


def test_it_agrees_with_trying_every_order():
    rng = random.Random(7)
    verdicts = set()
    for _ in range(400):
        history = [
            op(
                rng.choice(["put", "get", "delete", "put if absent"]),
                called := rng.randrange(6),
                called + rng.randrange(1, 6),
                rng.choice([None, "a", "b"]),
            )
            for _ in range(5)
        ]
        history = [o if o.kind != "delete" else o._replace(value=None) for o in history]
        assert linearizable(history) == explained_by_some_order(history)
        verdicts.add(linearizable(history))
    assert verdicts == {True, False}


def explained_by_some_order(history):
    return any(
        all(a.called <= b.returned for a, b in itertools.combinations(order, 2)) and replays(order)
        for order in itertools.permutations(history)
    )


def replays(order):
    held = None
    for operation in order:
        if operation.kind == "get" and operation.value != held:
            return False
        if operation.kind == "put if absent" and held is not None:
            return False
        if operation.kind != "get":
            held = operation.value
    return True


def test_a_history_notes_when_and_what():
    ticks = iter(range(10))
    history = History(lambda: next(ticks))
    assert history.record("put", lambda: ("done", "a")) == "done"
    history.record("get", lambda: ("lost", None))
    assert history.operations == [
        op("put", 0, 1, "a"),
        op("get", 2, math.inf, None, outcome="lost"),
    ]
