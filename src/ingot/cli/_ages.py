"""How old an object must be, as options say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingot.client.ages import Age


def age_of(older_than: str | None, newer_than: str | None) -> Age:
    """Make an age of `--older-than` and `--newer-than`.

    Raises:
        UsageError: one of them is no duration.
    """
    from ingot.base.clock import SystemClock
    from ingot.base.units import parse_duration
    from ingot.client.ages import Age

    now_ns = SystemClock().now_ns()

    def ago(duration: str | None) -> int | None:
        return None if duration is None else now_ns - int(parse_duration(duration) * 1e9)

    return Age(ago(older_than), ago(newer_than))
