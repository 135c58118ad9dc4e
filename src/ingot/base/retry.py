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
        ceiling_s = min(self.limit_s, self.first_s)
        for _ in range(self.attempts - 1):
            yield ceiling_s * rng.uniform(0.5, 1.0)
            # Step by step: a power of two would overflow when something is away for hours.
            ceiling_s = min(self.limit_s, ceiling_s * 2)
