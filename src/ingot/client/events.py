"""What a run tells as it goes, and the tally that decides how it ends."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ingot.base.errors import (
    ConflictError,
    DeniedError,
    Error,
    IntegrityError,
    NetworkError,
    NotFoundError,
    PartialError,
    UsageError,
)

_KINDS = (DeniedError, NotFoundError, ConflictError, NetworkError, IntegrityError, UsageError)


@dataclass(frozen=True, slots=True)
class Copied:
    """One object or file was written (or would be, in a dry run)."""

    source: str
    target: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """One object or file was deleted (or would be, in a dry run); a version only if it has one."""

    target: str
    size_bytes: int
    version_id: str = ""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """One name needed nothing."""

    source: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Differs:
    """One name is not the same on both sides; `first` or `second` is empty where it is missing."""

    first: str
    second: str
    how: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """One name was left out on purpose."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """One name could not be made alike."""

    source: str
    error: Error


@dataclass(frozen=True, slots=True)
class Noted:
    """Something about the run itself, for people."""

    text: str


Event = Copied | Removed | Unchanged | Differs | Skipped | Failed | Noted


def kind_of(error: Error) -> type[Error]:
    """Return the class whose exit code tells what sort of failure this is."""
    return next((kind for kind in _KINDS if isinstance(error, kind)), Error)


@dataclass(slots=True)
class Tally:
    """Counts of a run's events."""

    copied: int = 0
    copied_bytes: int = 0
    removed: int = 0
    unchanged: int = 0
    differing: int = 0
    skipped: int = 0
    failed: int = 0
    kinds: Counter[type[Error]] = field(default_factory=Counter)

    def add(self, event: Event) -> None:
        """Count one event."""
        match event:
            case Copied():
                self.copied += 1
                self.copied_bytes += event.size_bytes
            case Removed():
                self.removed += 1
            case Unchanged():
                self.unchanged += 1
            case Differs():
                self.differing += 1
            case Skipped():
                self.skipped += 1
            case Failed():
                self.failed += 1
                self.kinds[kind_of(event.error)] += 1
            case Noted():
                pass

    def verdict(self, what: str) -> Error | None:
        """Return the error that the run ends with, or None if nothing failed.

        Some failed: `PartialError` (exit 3). If nothing at all succeeded and every failure is of
        one kind, it is that kind (a wrong key is "denied", not "partial").
        """
        if not self.failed:
            return None
        done = self.copied + self.removed + self.unchanged + self.differing
        if done == 0 and len(self.kinds) == 1:
            (kind,) = self.kinds
        else:
            kind = PartialError
        return kind(f"{self.failed} of {self.failed + done} {what} failed; the reasons are above")
