"""How long an object must stay, as people write it: days or years."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingot.base.errors import UsageError
from ingot.s3.documents.lock import RETENTION_DAYS_MAX, RETENTION_YEARS_MAX, DefaultRetention

_NS_PER_S = 1_000_000_000
_VALIDITY = re.compile(r"([1-9]\d{0,4})([dy])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Validity:
    """A time in days or in years; the other one is None."""

    days: int | None = None
    years: int | None = None

    def until_ns(self, now_ns: int) -> int:
        """Return when it ends, in nanoseconds since the epoch, whole seconds."""
        now = datetime.fromtimestamp(now_ns // _NS_PER_S, UTC)
        if self.days is not None:
            end = now + timedelta(days=self.days)
        else:
            assert self.years is not None
            # The day after 28 February where a year has no 29th.
            leap_day = (now.month, now.day) == (2, 29)
            start = now + timedelta(days=1) if leap_day else now
            end = start.replace(year=start.year + self.years)
        return int(end.timestamp()) * _NS_PER_S

    def default(self, mode: str) -> DefaultRetention:
        """Return the setting of a bucket whose new objects stay so long."""
        return DefaultRetention(mode, self.days, self.years)

    def __str__(self) -> str:
        return f"{self.years}YEARS" if self.years is not None else f"{self.days}DAYS"


def parse_validity(text: str) -> Validity:
    """Read `30d` or `1y`.

    Raises:
        UsageError: it is neither, or longer than 100 years.
    """
    match = _VALIDITY.fullmatch(text.strip())
    if match is not None:
        count, in_days = int(match[1]), match[2].lower() == "d"
        if count <= (RETENTION_DAYS_MAX if in_days else RETENTION_YEARS_MAX):
            return Validity(days=count) if in_days else Validity(years=count)
    raise UsageError(
        f"{text!r} is no time to keep objects", hint="write it like 30d or 1y; 100 years at most"
    )
