"""Moments as people write them: a date, a date with a time, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from ingot.base.errors import UsageError
from ingot.base.units import parse_duration

_NS_PER_S = 1_000_000_000
# mc writes dates with dots.
_DOTTED = re.compile(r"(\d{4})\.(\d{2})\.(\d{2})(?=T|$)")
# As `date -u` and mc's help name it.
_UNIVERSAL = re.compile(r" (UTC|GMT)$")


def parse_moment(text: str, now_ns: int) -> int:
    """Read `7d` (ago), `2026-11-24`, `2026-11-24T02:05`, `2026-11-24T02:05:00+01:00`.

    A space may stand for the `T`. A moment without a time zone is UTC.

    Raises:
        UsageError: it is none of these.
    """
    dashed = _UNIVERSAL.sub("+00:00", _DOTTED.sub(r"\1-\2-\3", text.strip()))
    try:
        at = datetime.fromisoformat(dashed)
    except ValueError:
        pass
    else:
        if not dashed.isdigit():
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
            return int(at.timestamp()) * _NS_PER_S + at.microsecond * 1000
    try:
        return now_ns - int(parse_duration(text) * _NS_PER_S)
    except UsageError:
        raise UsageError(
            f"{text!r} is no moment", hint="write it like 7d, 2026-11-24 or 2026-11-24T02:05"
        ) from None


def parse_day(text: str) -> int:
    """Read `2026-11-24` as its midnight in UTC, nanoseconds since the epoch.

    Raises:
        UsageError: it is no day.
    """
    try:
        at = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(f"{text!r} is no day", hint="write it like 2026-11-24") from error
    return int(at.timestamp()) * _NS_PER_S
