"""What every component build of one `ingot build` shares: sources, lock, caches, progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingot.base import paths
from ingot.base.clock import Clock, SystemClock
from ingot.base.progress import SILENT, Progress


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
    """The shared state of one build.

    Attributes:
        lock_path: `ingot.lock` beside the appliance's YAML; None builds without pins.
        offline: never open a connection; what is not in the caches is an error.
    """

    options: ArchiveOptions = field(default_factory=ArchiveOptions)
    lock_path: Path | None = None
    offline: bool = False
    progress: Progress = SILENT
    cache_dir: Path = field(default_factory=paths.cache_dir)
    clock: Clock = field(default_factory=SystemClock)
