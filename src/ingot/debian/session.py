"""What every component build of one `ingot build` shares: sources, lock, caches, progress."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ingot.base import paths
from ingot.base.clock import Clock, SystemClock
from ingot.base.progress import SILENT, Progress
from ingot.debian.archive import Archive
from ingot.debian.closure import Universe, close
from ingot.debian.fetch import Fetcher, content_path, thread_count
from ingot.debian.index import Package
from ingot.debian.lock import Lock
from ingot.debian.sources import (
    DEFAULT_COMPONENTS,
    DEFAULT_KEYRING,
    DEFAULT_SUITE,
    explicit_sources,
    host_sources,
    read_settings,
)
from ingot.debian.unpack import unpack
from ingot.oci.endpoints import RegistryOptions
from ingot.oci.packed import is_cached
from ingot.oci.tree import Entry


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """Where packages come from; what is None is read from the host's apt configuration.

    Attributes:
        mirror: base URI of a Debian archive, instead of the host's.
        suite: the release's code name.
        components: archive areas such as `main`.
        keyring: file with the archive's public keys.
    """

    mirror: str | None = None
    suite: str | None = None
    components: tuple[str, ...] | None = None
    keyring: Path | None = None


@dataclass(slots=True)
class Session:
    """The shared state of one build; nothing is read or fetched before it is needed.

    Attributes:
        lock_path: `ingot.lock` beside the appliance's YAML; None builds without pins.
        offline: never open a connection; what is not in the caches is an error.
        registries: how images that are no components are fetched.
    """

    options: ArchiveOptions = field(default_factory=ArchiveOptions)
    lock_path: Path | None = None
    offline: bool = False
    progress: Progress = SILENT
    cache_dir: Path = field(default_factory=paths.cache_dir)
    clock: Clock = field(default_factory=SystemClock)
    registries: RegistryOptions = field(default_factory=RegistryOptions)
    _lock: Lock | None = None
    _archive: Archive | None = None
    _universes: dict[str, Universe] = field(default_factory=dict)

    @property
    def lock(self) -> Lock:
        """The pins; raises as `Lock.load` does."""
        if self._lock is None:
            self._lock = Lock.load(self.lock_path) if self.lock_path is not None else Lock()
        return self._lock

    def save_lock(self) -> None:
        """Write new pins, if there are any and there is a file for them."""
        if self.lock_path is not None and self.lock.changed:
            self.lock.save(self.lock_path)

    @property
    def archive(self) -> Archive:
        """The archive, as the options or the host's apt configuration say.

        Raises:
            ingot.debian.sources.SourcesError: apt has no usable source.
        """
        if self._archive is None:
            self._archive = self._open_archive()
        return self._archive

    def resolve(
        self,
        name: str,
        architecture: str,
        packages: Sequence[str],
        *,
        exclude: Sequence[str] = (),
        ignore_depends: Sequence[str] = (),
    ) -> list[Package]:
        """Return the packages a component needs: from the lock, else from the archive's indexes.

        Args:
            name: whose closure this is; the lock keeps it under this name.
            architecture: Debian's name of the target.
            packages: names wanted.
            exclude: patterns of names never taken.
            ignore_depends: patterns of names taken without what they depend upon.

        Raises:
            ingot.base.errors.Error: see `Archive.indexes` and `closure.close`.
        """
        wanted = (packages, exclude, ignore_depends)
        pinned = self.lock.packages(architecture)
        known = self.lock.closure(name, architecture, wanted)
        if known and all(package in pinned for package in known):
            return [pinned[package] for package in known]
        universe = self._universes.get(architecture)
        if universe is None:
            universe = Universe(self.archive.indexes(architecture), architecture, pinned)
            self._universes[architecture] = universe
        found = close(packages, universe, exclude=exclude, ignore_depends=ignore_depends)
        self.lock.pin_closure(name, architecture, wanted, found)
        return found

    def unpacked(self, packages: Sequence[Package]) -> list[list[Entry]]:
        """Return the entries of every package, fetching and unpacking what the cache lacks."""
        missing = [p for p in packages if not is_cached(self.cache_dir, p.sha256)]
        if missing:
            archive = self.archive
            archive.fetcher.fetch([archive.download(package) for package in missing])
            self._unpack_all(missing, archive.fetcher)
        # From here on the cache has the indexes and no .deb is opened.
        return [unpack(self._deb(p), p.sha256, self.cache_dir) for p in packages]

    def _unpack_all(self, packages: Sequence[Package], fetcher: Fetcher) -> None:
        total = sum(package.size_bytes for package in packages)
        with (
            self.progress.task("unpacking packages", total=total, unit="bytes") as task,
            ThreadPoolExecutor(thread_count()) as pool,
        ):
            jobs = [
                (package, pool.submit(unpack, self._deb(package), package.sha256, self.cache_dir))
                for package in sorted(packages, key=lambda p: p.size_bytes, reverse=True)
            ]
            for package, job in jobs:
                job.result()
                task.advance(package.size_bytes)

    def _deb(self, package: Package) -> Path:
        return content_path(self.cache_dir, package.sha256)

    def _open_archive(self) -> Archive:
        options = self.options
        settings = read_settings()
        suite = options.suite or DEFAULT_SUITE
        if options.mirror is not None:
            components = options.components or DEFAULT_COMPONENTS
            keyring = options.keyring or DEFAULT_KEYRING
            sources = explicit_sources(options.mirror, suite, components, keyring)
        else:
            sources = host_sources(settings, suite)
        return Archive(
            sources=tuple(sources),
            fetcher=Fetcher(self.cache_dir, self.offline, settings.proxy, self.progress),
            clock=self.clock,
            progress=self.progress,
            check_valid_until=settings.check_valid_until,
        )
