"""Which packages a list of packages needs: Depends and Pre-Depends followed to the end.

Recommends are never followed. Conflicts and Breaks are not looked at: they order upgrades of an
installed system, and an image is never upgraded in place.
"""

from __future__ import annotations

import fnmatch
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingot.base.errors import Error, NotFoundError
from ingot.debian.index import Package, PackageIndex
from ingot.debian.relations import Relation, parse_relations
from ingot.debian.version import satisfies, version_key


class UnsatisfiableError(Error):
    """No package of the archive fulfils a dependency."""

    slug = "unsatisfiable"


class Universe:
    """Every package that may be chosen for one architecture.

    Args:
        indexes: the archive's indexes.
        architecture: packages for it and for `all` are candidates.
        pinned: packages that are the only candidates for their names (from `ingot.lock`).
    """

    def __init__(
        self,
        indexes: Sequence[PackageIndex],
        architecture: str,
        pinned: Mapping[str, Package] | None = None,
    ) -> None:
        self._indexes = indexes
        self._architectures = {architecture, "all"}
        self._pinned = pinned or {}
        self._candidates: dict[str, list[Package]] = {}

    def candidates(self, name: str) -> list[Package]:
        """Return the packages called `name`, newest first; earlier indexes win among equals."""
        known = self._candidates.get(name)
        if known is None:
            if name in self._pinned:
                known = [self._pinned[name]]
            else:
                known = [
                    package
                    for index in self._indexes
                    for package in index.versions(name)
                    if package.architecture in self._architectures
                ]
                known.sort(key=lambda package: version_key(package.version), reverse=True)
            self._candidates[name] = known
        return known

    def providers(self, wanted: Relation) -> list[Package]:
        """Return the newest package of each name that provides `wanted`, by name."""
        names = {name for index in self._indexes for name in index.providers(wanted.name)}
        newest = [self.candidates(name)[:1] for name in sorted(names)]
        return [package for found in newest for package in found if _provides(package, wanted)]


@dataclass(slots=True)
class _Search:
    """One run of the closure: what is chosen, and why each name was."""

    universe: Universe
    exclude: Sequence[str]
    chosen: dict[str, Package] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    def excluded(self, name: str) -> bool:
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self.exclude)

    def fulfilled(self, wanted: Relation) -> bool:
        package = self.chosen.get(wanted.name)
        if package is not None and _matches(package, wanted):
            return True
        return any(_provides(package, wanted) for package in self.chosen.values())

    def choose(self, wanted: Relation) -> Package | None:
        """Return the package to take for `wanted`: a real one before one that provides it."""
        if wanted.name in self.chosen:
            # One version of a name per image; this one does not fulfil `wanted`.
            return None
        for package in self.universe.candidates(wanted.name):
            if _matches(package, wanted):
                return package
        for package in self.universe.providers(wanted):
            if package.name not in self.chosen and not self.excluded(package.name):
                return package
        return None

    def chain(self, name: str) -> str:
        links = [name]
        while (above := self.reasons.get(links[-1], "")) and above not in links:
            links.append(above)
        return " → ".join(reversed(links))


def close(
    names: Sequence[str],
    universe: Universe,
    *,
    exclude: Sequence[str] = (),
    ignore_depends: Sequence[str] = (),
) -> list[Package]:
    """Return the named packages and all they depend upon, sorted by name.

    Args:
        names: packages wanted, in order of preference for choices between alternatives.
        universe: where to choose from.
        exclude: glob patterns of names never taken, even if something depends on them.
        ignore_depends: glob patterns of names that are taken without what they depend upon.

    Raises:
        NotFoundError: a named package does not exist.
        UnsatisfiableError: a dependency cannot be fulfilled; the message names the chain.
    """
    search = _Search(universe, exclude)
    queue: deque[Package] = deque()
    for name in dict.fromkeys(names):
        package = search.choose(Relation(name))
        if package is None:
            raise NotFoundError(
                f"the archive has no package {name}",
                hint="check the name, the suite and the architecture",
            )
        if package.name not in search.chosen:
            search.chosen[package.name] = package
            queue.append(package)
    while queue:
        package = queue.popleft()
        if any(fnmatch.fnmatchcase(package.name, pattern) for pattern in ignore_depends):
            continue
        for alternatives in parse_relations(package.depends):
            found = _take(search, package, alternatives)
            if found is not None:
                search.chosen[found.name] = found
                search.reasons[found.name] = package.name
                queue.append(found)
    return [search.chosen[name] for name in sorted(search.chosen)]


def _take(search: _Search, package: Package, alternatives: tuple[Relation, ...]) -> Package | None:
    """Return the package to add for one dependency, None when nothing is to be added."""
    if any(search.fulfilled(wanted) for wanted in alternatives):
        return None
    if any(search.excluded(wanted.name) for wanted in alternatives):
        return None
    for wanted in alternatives:
        found = search.choose(wanted)
        if found is not None:
            return found
    text = " | ".join(str(wanted) for wanted in alternatives)
    taken = [search.chosen[wanted.name] for wanted in alternatives if wanted.name in search.chosen]
    why = ", ".join(f"{other.name} is {other.version}" for other in taken) or "no package fits"
    raise UnsatisfiableError(
        f"{search.chain(package.name)} {package.version} depends on {text}: {why}",
        hint="pins may be too old (remove ingot.lock), or name it under `exclude`",
    )


def _matches(package: Package, wanted: Relation) -> bool:
    return package.name == wanted.name and (
        not wanted.operator or satisfies(package.version, wanted.operator, wanted.version)
    )


def _provides(package: Package, wanted: Relation) -> bool:
    """Say whether `package` provides `wanted`; a bound needs a versioned one (Policy 7.5)."""
    if wanted.name not in package.provides:
        return False
    for alternatives in parse_relations(package.provides):
        provided = alternatives[0]
        if provided.name != wanted.name:
            continue
        if not wanted.operator:
            return True
        if provided.operator == "=" and satisfies(
            provided.version, wanted.operator, wanted.version
        ):
            return True
    return False
