"""What advisories hold for an appliance: found, joined where they are the same, ordered. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ingot.appliance.advisories.finding import UNKNOWN, Database, Finding, Subject, subjects_of
from ingot.appliance.sbom import Bill

_SEVERITIES = ("critical", "high", "medium", "moderate", "low", UNKNOWN)
# Of names of one advisory, the one that most people know comes first.
_KNOWN_NAMES = ("CVE-", "DSA-", "DLA-", "GHSA-", "PYSEC-")


@dataclass(frozen=True, slots=True)
class Row:
    """One advisory for one package.

    Attributes:
        aliases: other names, sorted.
        package: of Debian the source package.
        installed: the packages that were built from it, sorted.
        images: that contain them, sorted.
    """

    identifier: str
    aliases: tuple[str, ...]
    severity: str
    ecosystem: str
    package: str
    version: str
    fixed: str
    minor: bool
    note: str
    installed: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        checked: how many packages the advisories are about.
        unchecked: kinds of packages no advisory is about, and how many there are of each.
    """

    rows: tuple[Row, ...]
    checked: int
    unchecked: dict[str, int]


def report(
    bill: Bill,
    databases: Sequence[Database],
    *,
    ignored: Collection[str] = (),
    with_minor: bool = False,
    only_fixed: bool = False,
) -> Report:
    """Look a bill of materials up in advisories.

    Args:
        bill: what the appliance is made of.
        databases: all are asked about every package that they cover.
        ignored: names of advisories to leave out.
        with_minor: show what the source calls unimportant or has not determined, too.
        only_fixed: show only what a newer version mends.

    Raises:
        UsageError: an advisory is malformed.
    """
    subjects = subjects_of(bill)
    found: dict[Subject, list[Finding]] = {}
    covered: set[Subject] = set()
    for database in databases:
        asked = [subject for subject in subjects if database.covers(subject)]
        covered |= set(asked)
        for finding in database.find(asked):
            found.setdefault(finding.subject, []).append(finding)
    rows: list[Row] = []
    for subject, findings in found.items():
        packages = subjects[subject]
        for names, same in _joined(findings):
            hidden = names & set(ignored) or (only_fixed and not _fix(same))
            if hidden or (not with_minor and all(finding.minor for finding in same)):
                continue
            rows.append(
                _row(
                    subject,
                    names,
                    same,
                    tuple(sorted({package.name for package in packages})),
                    tuple(sorted({package.image for package in packages})),
                )
            )
    checked = {(p.kind, p.name, p.version) for s in covered for p in subjects[s]}
    others: dict[str, set[tuple[str, str]]] = {}
    for package in bill.packages:
        if (package.kind, package.name, package.version) not in checked:
            others.setdefault(package.kind, set()).add((package.name, package.version))
    unchecked = {kind: len(names) for kind, names in sorted(others.items())}
    return Report(tuple(sorted(rows, key=_order)), len(checked), unchecked)


def _joined(findings: Sequence[Finding]) -> list[tuple[set[str], list[Finding]]]:
    """Return findings by what they are about: those that share a name are the same."""
    groups: list[tuple[set[str], list[Finding]]] = []
    for finding in findings:
        names, same = {finding.identifier, *finding.aliases}, [finding]
        others = []
        for group in groups:
            if group[0] & names:
                names |= group[0]
                same += group[1]
            else:
                others.append(group)
        groups = [*others, (names, same)]
    return groups


def _row(
    subject: Subject,
    names: set[str],
    same: Sequence[Finding],
    installed: tuple[str, ...],
    images: tuple[str, ...],
) -> Row:
    identifier, *aliases = sorted(names, key=_name_order)
    return Row(
        identifier=identifier,
        aliases=tuple(aliases),
        severity=min((finding.severity for finding in same), key=_rank),
        ecosystem=subject.ecosystem,
        package=subject.name,
        version=subject.version,
        fixed=_fix(same),
        minor=all(finding.minor for finding in same),
        note="; ".join(sorted({finding.note for finding in same if finding.note})),
        installed=installed,
        images=images,
    )


def _fix(same: Sequence[Finding]) -> str:
    return next((finding.fixed for finding in same if finding.fixed), "")


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _name_order(name: str) -> tuple[int, str]:
    places = [place for place, known in enumerate(_KNOWN_NAMES) if name.startswith(known)]
    return (places[0] if places else len(_KNOWN_NAMES), name)


def _order(row: Row) -> tuple[int, str, str, str, str]:
    return (_rank(row.severity), row.package, row.version, row.identifier, row.ecosystem)
