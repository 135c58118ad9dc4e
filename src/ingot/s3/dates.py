"""The three ways S3 writes an instant: HTTP dates, ISO 8601 with milliseconds, and SigV4's."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

NS_PER_S = 1_000_000_000
_NS_PER_MS = 1_000_000
# What can be written again; time zones reach beyond it.
_FIRST_S, _LAST_S = -62_135_596_800, 253_402_300_799
# How many instants, to the second, are remembered.
SECONDS_CACHED = 4096

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AMZ_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


def format_http_date(time_ns: int) -> str:
    """Write `Tue, 24 Nov 2026 02:05:00 GMT` (RFC 9110 §5.6.7), whole seconds, rounded down."""
    at = datetime.fromtimestamp(time_ns // NS_PER_S, UTC)
    # strftime's names follow the locale.
    return (
        f"{_DAYS[at.weekday()]}, {at.day:02d} {_MONTHS[at.month - 1]} {at.year:04d}"
        f" {at.hour:02d}:{at.minute:02d}:{at.second:02d} GMT"
    )


# Objects that are fetched one after the other were often written together.
@lru_cache(SECONDS_CACHED)
def parse_http_date(text: str) -> int | None:
    """Read an HTTP date as seconds since the epoch, or None when it is none."""
    # Few requests carry one, and the email package is not needed for anything else.
    from email.utils import parsedate_to_datetime

    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at_s = int(parsed.timestamp()) if parsed.tzinfo else calendar.timegm(parsed.timetuple())
    return at_s if _FIRST_S <= at_s <= _LAST_S else None


def format_iso8601(time_ns: int) -> str:
    """Write `2026-11-24T02:05:00.123Z`, as the XML documents do."""
    return _WHOLE_SECONDS[time_ns // NS_PER_S] + _MILLISECONDS[time_ns // _NS_PER_MS % 1000]


def format_all_iso8601(times_ns: Sequence[int]) -> list[str]:
    """Write many instants so, in a third of the time."""
    seconds, rests = _WHOLE_SECONDS, _MILLISECONDS
    return [seconds[at // NS_PER_S] + rests[at // _NS_PER_MS % 1000] for at in times_ns]


class _WholeSeconds(dict[int, str]):
    """Instants without their milliseconds: of a list page's thousand many are of one second."""

    def __missing__(self, seconds: int) -> str:
        if len(self) >= SECONDS_CACHED:
            self.clear()
        # Ten times as fast as strftime.
        text = self[seconds] = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
        return text


_WHOLE_SECONDS = _WholeSeconds()
_MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


def parse_iso8601(text: str) -> int:
    """Read an XML document's instant as nanoseconds since the epoch (microseconds at best).

    Raises:
        ValueError: it is none, or has no time zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    at_s = int(at.replace(microsecond=0).timestamp())
    if not _FIRST_S <= at_s <= _LAST_S:
        raise ValueError(f"{text!r} is not of the years 1 to 9999")
    return at_s * NS_PER_S + at.microsecond * 1000


def format_amz_date(time_ns: int) -> str:
    """Write `20261124T020500Z`, as SigV4 does."""
    return _format_amz_date(time_ns // NS_PER_S)


# As with those that are read.
@lru_cache(SECONDS_CACHED)
def _format_amz_date(time_s: int) -> str:
    whole = datetime.fromtimestamp(time_s, UTC).isoformat()[:19]
    return f"{whole.replace('-', '').replace(':', '')}Z"


def parse_amz_date(text: str) -> int | None:
    """Read SigV4's instant as seconds since the epoch, or None when it is none."""
    return _parse_amz_date(text) if _AMZ_DATE.fullmatch(text) else None


# The requests of one second carry the same one.
@lru_cache(SECONDS_CACHED)
def _parse_amz_date(text: str) -> int | None:
    try:
        at = datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[9:11]),
            int(text[11:13]),
            int(text[13:15]),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return int(at.timestamp())
