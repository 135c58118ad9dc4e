"""A package that an advisory is about, and what an advisory says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ingot.appliance.sbom import Bill, BilledPackage

UNKNOWN = "unknown"
NONE_FIXED = ""
# Debian's words for what it does not mend.
MINOR_SEVERITIES = frozenset({"unimportant", "end-of-life"})
# Debian's sources of signed kernels hold signatures only.
_SIGNED_KERNEL = re.compile(r"linux-signed-[a-z0-9]+")


@dataclass(frozen=True, order=True, slots=True)
class Subject:
    """A package as advisories name it: of Debian the source package, of PyPI the project.

    Attributes:
        ecosystem: `debian` or `pypi`.
        release: of Debian: the code name.
    """

    ecosystem: str
    name: str
    version: str
    release: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """An advisory that holds for a subject.

    Attributes:
        aliases: other names of it.
        severity: as the source words it, in lower case; `unknown` where it does not.
        fixed: the version that is not affected; empty if there is none yet.
        minor: the source calls it unimportant, or has not determined whether it holds.
        note: what else the source says.
    """

    subject: Subject
    identifier: str
    aliases: frozenset[str] = frozenset()
    severity: str = UNKNOWN
    fixed: str = NONE_FIXED
    minor: bool = False
    note: str = ""


class Database(Protocol):
    """Advisories of one file or folder."""

    def covers(self, subject: Subject) -> bool:
        """Say whether the advisories are about such packages at all."""
        ...

    def find(self, subjects: Iterable[Subject]) -> Iterator[Finding]:
        """Yield every advisory that holds for one of the subjects."""
        ...


def subjects_of(bill: Bill) -> dict[Subject, list[BilledPackage]]:
    """Return what advisories may be about, each with the packages that are it."""
    found: dict[Subject, list[BilledPackage]] = {}
    for package in bill.packages:
        subject = _subject(package)
        if subject is not None:
            found.setdefault(subject, []).append(package)
    return found


def _subject(package: BilledPackage) -> Subject | None:
    if package.kind == "deb" and package.distribution == "debian":
        name, version = package.source
        if _SIGNED_KERNEL.fullmatch(name):
            # Its packages have the version of the source that was signed, which advisories name.
            name, version = "linux", package.version
        return Subject("debian", name or package.name, version or package.version, package.release)
    if package.kind == "wheel":
        return Subject("pypi", package.name, package.version)
    return None
