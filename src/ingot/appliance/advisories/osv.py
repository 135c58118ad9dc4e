"""Advisories in the OSV format: one record a file, in a folder, a zip archive or a list.

Format: ossf.github.io/osv-schema. Of its ecosystems Debian and PyPI are read, with their own orders
of versions. Records are decoded one at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from ingot.appliance.advisories.finding import MINOR_SEVERITIES, UNKNOWN, Finding, Subject
from ingot.appliance.advisories.pep440 import python_version_key
from ingot.base.errors import Error, UsageError
from ingot.debian.requirements import normalized
from ingot.debian.version import version_key

_BEGINNING = "0"
# Debian's code names by the number that ecosystems carry.
_RELEASES = {
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
    "15": "duke",
}


class _Package(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Package = msgspec.field(default_factory=_Package)
    ranges: list[_Range] = []
    versions: list[str] = []
    ecosystem_specific: dict[str, Any] | None = None
    database_specific: dict[str, Any] | None = None


class _Record(msgspec.Struct):
    id: str
    aliases: list[str] | None = None
    upstream: list[str] | None = None
    withdrawn: str | None = None
    affected: list[_Affected] | None = None
    database_specific: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Record)


class Osv:
    """Advisories of a source of records.

    Args:
        records: returns the texts of all records with what mistakes call them, anew each time.
    """

    def __init__(self, records: Callable[[], Iterable[tuple[str, bytes | msgspec.Raw]]]) -> None:
        self._records = records

    def covers(self, subject: Subject) -> bool:
        """See `Database`."""
        return subject.ecosystem == "pypi" or bool(subject.release)

    def find(self, subjects: Iterable[Subject]) -> Iterator[Finding]:
        """See `Database`.

        Raises:
            UsageError: a record is not of the format.
        """
        by_name: dict[tuple[str, str], list[Subject]] = {}
        for subject in subjects:
            by_name.setdefault((subject.ecosystem, subject.name), []).append(subject)
        for what, data in self._records():
            try:
                record = _DECODER.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{what} is no record of OSV: {error}") from error
            if record.withdrawn:
                continue
            for affected in record.affected or []:
                yield from _matches(record, affected, by_name)


def _matches(
    record: _Record, affected: _Affected, by_name: dict[tuple[str, str], list[Subject]]
) -> Iterator[Finding]:
    ecosystem, _, variant = affected.package.ecosystem.partition(":")
    kind = ecosystem.lower()
    name = affected.package.name
    if kind == "pypi":
        name = normalized(name)
    for subject in by_name.get((kind, name), ()):
        if kind == "debian" and variant and _RELEASES.get(variant, variant) != subject.release:
            continue
        fixed = _state(subject, affected)
        if fixed is None:
            continue
        severity = _severity(record, affected)
        yield Finding(
            subject=subject,
            identifier=record.id,
            aliases=frozenset((*(record.aliases or ()), *(record.upstream or ()))),
            severity=severity,
            fixed=fixed,
            minor=severity in MINOR_SEVERITIES,
        )


def _state(subject: Subject, affected: _Affected) -> str | None:
    """Return the version that mends a subject, "" if there is none; None if it is not affected."""
    key = functools.partial(_key, subject.ecosystem)
    own = key(subject.version)
    fixes = [
        event["fixed"]
        for found in affected.ranges
        for event in found.events
        if "fixed" in event and own is not None and (at := key(event["fixed"])) and own < at
    ]
    fix = min(fixes, key=key, default="")
    if subject.version in affected.versions:
        return fix
    if own is None:
        # A version that cannot be compared is not known to be good.
        return "" if any(found.type == "ECOSYSTEM" for found in affected.ranges) else None
    known = (key(version) for version in affected.versions)
    if own in known or any(_in_range(own, found, key) for found in affected.ranges):
        return fix
    return None


def _in_range(own: Any, found: _Range, key: Callable[[str], Any]) -> bool:
    if found.type != "ECOSYSTEM":
        return False
    events: list[tuple[Any, int, str]] = []
    is_inside = False
    for event in found.events:
        for word, version in event.items():
            at = key(version)
            if word == "introduced" and version == _BEGINNING:
                is_inside = True
            elif at is not None and word in _RANKS:
                events.append((at, _RANKS[word], word))
    for at, _, word in sorted(events, key=lambda event: event[:2]):
        if word == "introduced" and own >= at:
            is_inside = True
        elif (word in {"fixed", "limit"} and own >= at) or (word == "last_affected" and own > at):
            is_inside = False
    return is_inside


# Of events at one version, what ends a range comes before what begins the next.
_RANKS = {"fixed": 0, "limit": 0, "introduced": 1, "last_affected": 2}


def _key(ecosystem: str, version: str) -> Any:
    try:
        return python_version_key(version) if ecosystem == "pypi" else version_key(version)
    except Error:
        return None


def _severity(record: _Record, affected: _Affected) -> str:
    for found in (
        affected.ecosystem_specific,
        affected.database_specific,
        record.database_specific,
    ):
        for word in ("urgency", "severity"):
            value = (found or {}).get(word)
            if isinstance(value, str) and value and value != "not yet assigned":
                return value.lower()
    return UNKNOWN
