"""How many names a mirror may delete; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from ingot.base.errors import ConflictError, UsageError

# So few names never make a share of the target that is worth stopping for.
_SHARE_FLOOR = 100
_PATTERN = re.compile(r"([0-9]{1,18})(%?)")


class RemovalLimitError(ConflictError):
    """More names would be deleted than may be."""

    slug = "removal-limit"


@dataclass(frozen=True, slots=True)
class RemovalLimit:
    """How many of a target's names one run may delete.

    Attributes:
        count: this many; None for any number.
        percent: this share of what the target holds (but any 100 names); None for any share.
    """

    count: int | None = None
    percent: int | None = 50

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `500` or `50%`.

        Raises:
            UsageError: it is neither.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or (match.group(2) and int(match.group(1)) > 100):
            raise UsageError(
                f"{text!r} is no number of names", hint="write a number, or a share as in 50%"
            )
        number = int(match.group(1))
        return cls(None, number) if match.group(2) else cls(number, None)

    def of_part(self) -> RemovalLimit:
        """Return the limit for a run that sees only a part of the target, of which no share tells.

        More names than need no share must be looked at with all of the target.
        """
        return self if self.percent is None else RemovalLimit(_SHARE_FLOOR, None)

    def refusal(self, removals: int, present: int) -> RemovalLimitError | None:
        """Say why that many of the names that are present may not be deleted, or None."""
        if self.count is not None and removals > self.count:
            allowed = f"{self.count}"
        elif (
            self.percent is not None
            and removals > _SHARE_FLOOR
            and removals * 100 > self.percent * present
        ):
            allowed = f"{self.percent}%"
        else:
            return None
        return RemovalLimitError(
            f"{removals} of the target's {present} names would be deleted, at most {allowed} may"
            " be: none was",
            hint=f"look with --dry-run; if that is what you want, add --max-remove {removals}",
        )
