"""How long to wait before trying again: exponential back-off with full jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """A bounded series of delays.

    Attributes:
        attempts: how often a thing is tried in all (≥ 1), so `attempts - 1` delays.
        first_s: the upper bound of the first delay.
        limit_s: the upper bound of every delay.
    """

    attempts: int = 5
    first_s: float = 0.2
    limit_s: float = 10.0

    def delays_s(self, rng: random.Random) -> Iterator[float]:
        """Yield the delays between attempts; jitter keeps clients from knocking in step."""
        for index in range(self.attempts - 1):
            ceiling = min(self.limit_s, self.first_s * 2.0**index)
            yield ceiling * rng.uniform(0.5, 1.0)
