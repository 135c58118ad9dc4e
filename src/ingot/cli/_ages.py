"""How old an object must be, as options say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingot.client.ages import Age


def age_of(older_than: str | None, newer_than: str | None) -> Age:
    """Make an age of `--older-than` and `--newer-than`.

    Raises:
        UsageError: one of them is neither a duration nor a moment.
    """
    from ingot.base.clock import SystemClock
    from ingot.client.ages import Age
    from ingot.client.moments import parse_moment

    now_ns = SystemClock().now_ns()

    def moment(text: str | None) -> int | None:
        return None if text is None else parse_moment(text, now_ns)

    return Age(moment(older_than), moment(newer_than))
