"""The export of Debian's security tracker: source package, advisory, release.

Format: security-tracker.debian.org/tracker/data/json. The file is mapped, not read: of its tens of
megabytes only the rows of the packages asked for are decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ingot.appliance.advisories.finding import MINOR_SEVERITIES, UNKNOWN, Finding, Subject
from ingot.base.errors import UsageError
from ingot.debian.version import VersionError, version_key

# A release for which the fix came with its first version was never affected.
_NEVER = "0"


class _Release(msgspec.Struct):
    status: str
    fixed_version: str = ""
    urgency: str = ""
    nodsa: str = ""


class _Advisory(msgspec.Struct):
    releases: dict[str, _Release] = {}


class Tracker:
    """A tracker's rows by source package.

    Args:
        rows: not decoded yet.
        what: the file, for mistakes.
    """

    def __init__(self, rows: Mapping[str, msgspec.Raw], what: str) -> None:
        self._rows = rows
        self._what = what

    def covers(self, subject: Subject) -> bool:
        """See `Database`."""
        return subject.ecosystem == "debian" and bool(subject.release)

    def find(self, subjects: Iterable[Subject]) -> Iterator[Finding]:
        """See `Database`.

        Raises:
            UsageError: a row is not of the tracker's form.
        """
        for subject in subjects:
            row = self._rows.get(subject.name)
            if row is None or not self.covers(subject):
                continue
            for identifier, advisory in self._advisories(subject.name, row).items():
                found = advisory.releases.get(subject.release)
                finding = found and _finding(subject, identifier, found)
                if finding:
                    yield finding

    def _advisories(self, name: str, row: msgspec.Raw) -> dict[str, _Advisory]:
        try:
            return msgspec.json.decode(row, type=dict[str, _Advisory])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{self._what}: the row of {name} is malformed: {error}") from error


def _finding(subject: Subject, identifier: str, found: _Release) -> Finding | None:
    fixed = found.fixed_version if found.status == "resolved" else ""
    if found.status == "resolved" and not _is_older(subject.version, fixed):
        return None
    undetermined = found.status == "undetermined"
    severity = found.urgency.rstrip("*") or UNKNOWN
    if severity == "not yet assigned":
        severity = UNKNOWN
    return Finding(
        subject=subject,
        identifier=identifier,
        severity=severity,
        fixed=fixed,
        minor=undetermined or severity in MINOR_SEVERITIES,
        note="not determined" if undetermined else found.nodsa,
    )


def _is_older(version: str, fixed: str) -> bool:
    if fixed in {"", _NEVER}:
        return False
    try:
        return version_key(version) < version_key(fixed)
    except VersionError:
        # A version that cannot be compared is not known to be good.
        return version != fixed
