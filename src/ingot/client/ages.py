"""How old objects must be to take part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Age:
    """Which objects are meant by when they were written, nanoseconds since the epoch."""

    before_ns: int | None = None
    after_ns: int | None = None

    def __bool__(self) -> bool:
        """Whether it leaves any out."""
        return self != Age()

    def admits(self, modified_ns: int) -> bool:
        """Tell whether an object that was written then is meant."""
        return (self.before_ns is None or modified_ns < self.before_ns) and (
            self.after_ns is None or modified_ns > self.after_ns
        )
