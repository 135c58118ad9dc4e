"""Hash-locked requirements files: `name==version --hash=sha256:…`, one platform, no URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingot.base.errors import UsageError

_PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([A-Za-z0-9.!+_-]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One pinned distribution and the digests its files may have."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def line(self, hashes: tuple[str, ...] | None = None) -> str:
        """Return the requirement as pip reads it, with all digests or only `hashes`."""
        digests = " ".join(f"--hash=sha256:{digest}" for digest in hashes or self.hashes)
        return f"{self.name}=={self.version} {digests}"


def parse_requirements(text: str, file: str) -> list[Requirement]:
    """Read a locked requirements file.

    Raises:
        UsageError: a line is not pinned, has no digest, or is an option or an URL.
    """
    return [_requirement(line, f"{file}:{number}") for number, line in _logical_lines(text)]


def normalized(name: str) -> str:
    """Return a distribution's name as it is compared (PyPA: Names and normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their number, continued ones joined, comments and empty ones left out."""
    pending = ""
    start = 1
    for number, raw in enumerate(text.splitlines(), start=1):
        line = re.sub(r"(^|\s)#.*", "", raw).strip()
        if not pending:
            start = number
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        if whole := (pending + line).strip():
            yield start, whole
        pending = ""


def _requirement(line: str, place: str) -> Requirement:
    requirement, _, _ = line.partition(" ")
    match = _PINNED.fullmatch(requirement)
    hashes = tuple(_HASH.findall(line))
    rest = _HASH.sub("", line.removeprefix(requirement)).strip()
    if match is None or not hashes or rest:
        raise UsageError(
            f"{place}: {line[:80]!r} is not a locked requirement",
            hint="write name==version --hash=sha256:…; lock for one platform, without markers",
        )
    return Requirement(match[1], match[2], hashes)
