"""Object lock: what keeps a version from being removed, and what may be changed of that.

Pure: values in, values out. Source: Amazon S3 user guide, "Locking objects with Object Lock".
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime
from typing import Final

import msgspec

GOVERNANCE: Final = "GOVERNANCE"
COMPLIANCE: Final = "COMPLIANCE"

_NS_PER_S: Final = 10**9
_NS_PER_DAY: Final = 24 * 3600 * _NS_PER_S
_YEAR_MAX: Final = 9999


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """What keeps one version.

    Attributes:
        mode: `GOVERNANCE` or `COMPLIANCE`; empty without retention.
        until_ns: when the retention ends, nanoseconds since the Unix epoch.
        hold: kept until the legal hold is taken off, whatever the retention.
    """

    mode: str = ""
    until_ns: int = 0
    hold: bool = False


NO_LOCK: Final = Lock()


class LockRule(msgspec.Struct, frozen=True, array_like=True):
    """The retention of new versions that ask for none: exactly one of `days` and `years` is set."""

    mode: str
    days: int | None = None
    years: int | None = None

    def until_ns(self, now_ns: int) -> int:
        """Return when the retention of a version made now ends."""
        if self.years is None:
            assert self.days is not None, "a rule has days or years"
            return now_ns + self.days * _NS_PER_DAY
        now_s, rest_ns = divmod(now_ns, _NS_PER_S)
        now = datetime.fromtimestamp(now_s, UTC)
        year = min(now.year + self.years, _YEAR_MAX)
        day = min(now.day, calendar.monthrange(year, now.month)[1])
        return int(now.replace(year=year, day=day).timestamp()) * _NS_PER_S + rest_ns


def lock_of_new(asked: Lock | None, rule: LockRule | None, now_ns: int) -> Lock | None:
    """Return the lock of a new version: what its writer asked for, else the bucket's rule."""
    if rule is None or (asked is not None and asked.mode):
        return asked
    hold = asked is not None and asked.hold
    return Lock(rule.mode, rule.until_ns(now_ns), hold)


def keeps(lock: Lock | None, now_ns: int, *, bypass_governance: bool) -> bool:
    """Tell whether a version must stay."""
    if lock is None:
        return False
    return lock.hold or _retains(lock, now_ns, bypass_governance=bypass_governance)


def may_retain(old: Lock | None, new: Lock, now_ns: int, *, bypass_governance: bool) -> bool:
    """Tell whether the retention of a version may become that of `new`.

    It may always become longer, in a mode that is at least as strict.
    """
    if old is None or not _retains(old, now_ns, bypass_governance=bypass_governance):
        return True
    stricter = new.mode in (old.mode, COMPLIANCE)
    return stricter and new.until_ns >= old.until_ns


def _retains(lock: Lock, now_ns: int, *, bypass_governance: bool) -> bool:
    if not lock.mode or lock.until_ns <= now_ns:
        return False
    return lock.mode == COMPLIANCE or not bypass_governance
