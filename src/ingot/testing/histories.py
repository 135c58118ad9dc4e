"""Histories of concurrent operations on one key, and whether some order of them explains all.

The check is Wing's and Gong's ("Testing and verifying concurrent objects", 1993) with memory of
the configurations that lead nowhere (Lowe, 2017): it looks for one order of the operations that
agrees with real time (what ended before another began comes first) and in which each has the
outcome that it had. If there is none, the store is not linearizable.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

Kind = Literal["put", "put if absent", "put if match", "get", "delete", "delete if match"]
# `lost`: no answer, or one that leaves open whether it happened.
Outcome = Literal["done", "refused", "lost"]


class Operation(NamedTuple):
    """One operation as a client saw it.

    Attributes:
        kind: what was asked.
        called: when the request was sent; any unit, the same for all operations.
        returned: when the answer was there; infinite for a lost one, which may happen any time.
        outcome: what the answer said.
        value: what a put wrote or a get read (`None`: there was no object).
        expected: the value that "put if match" or "delete if match" demanded.
    """

    kind: Kind
    called: float
    returned: float
    outcome: Outcome
    value: str | None = None
    expected: str | None = None


def linearizable(history: Sequence[Operation], initial: str | None = None) -> bool:
    """Tell whether some order of the operations explains every outcome.

    Args:
        history: in any order; each value is written once.
        initial: what the key holds at the beginning.
    """
    operations = sorted(history, key=lambda operation: operation.called)
    everything = (1 << len(operations)) - 1
    optional = sum(1 << at for at, item in enumerate(operations) if item.outcome == "lost")
    # A configuration: which operations are in the order already, and what the key holds then.
    waiting = [(0, initial)]
    seen = set(waiting)
    while waiting:
        ordered, held = waiting.pop()
        if ordered | optional == everything:
            return True
        for at in _next(operations, ordered):
            agrees, after = _apply(operations[at], held)
            configuration = (ordered | 1 << at, after)
            if agrees and configuration not in seen:
                seen.add(configuration)
                waiting.append(configuration)
    return False


def _next(operations: Sequence[Operation], ordered: int) -> list[int]:
    """Return which operations may come next: no other one left had ended before they began."""
    candidates = []
    earliest_end = math.inf
    for at, operation in enumerate(operations):
        if operation.called > earliest_end:
            break
        if not ordered >> at & 1:
            candidates.append(at)
            earliest_end = min(earliest_end, operation.returned)
    return [at for at in candidates if operations[at].called <= earliest_end]


def _apply(operation: Operation, held: str | None) -> tuple[bool, str | None]:
    """Return whether the outcome agrees with what the key holds, and what it holds after."""
    if operation.kind == "get":
        return operation.outcome == "lost" or operation.value == held, held
    if operation.outcome == "lost":
        return True, operation.value if _allowed(operation, held) else held
    if _allowed(operation, held) != (operation.outcome == "done"):
        return False, held
    return True, operation.value if operation.outcome == "done" else held


def _allowed(operation: Operation, held: str | None) -> bool:
    if operation.kind == "put if absent":
        return held is None
    if operation.kind in {"put if match", "delete if match"}:
        return held is not None and held == operation.expected
    return True


class History:
    """Collects operations from any number of threads.

    Args:
        now: the time.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self.operations: list[Operation] = []

    def record(
        self,
        kind: Kind,
        do: Callable[[], tuple[Outcome, str | None]],
        *,
        expected: str | None = None,
    ) -> Outcome:
        """Do an operation and note it.

        Args:
            kind: what it is.
            do: performs it; returns its outcome and the value it wrote or read.
            expected: see `Operation`.
        """
        called = self._now()
        outcome, value = do()
        returned = math.inf if outcome == "lost" else self._now()
        with self._lock:
            self.operations.append(Operation(kind, called, returned, outcome, value, expected))
        return outcome
