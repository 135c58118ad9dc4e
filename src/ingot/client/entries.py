"""What both sides of a copy list: entries and obstacles, in the UTF-8 byte order of their names."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import msgspec


class Stamp(NamedTuple):
    """What tells that a file was not touched: its ctime moves on with every change."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Read it from what the system says of a file."""
        return cls(
            status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )

    def may_be_same_file(self, other: Stamp) -> bool:
        """Tell whether a file that looks like the other may be this one, unchanged.

        A link less moves a ctime on, and FAT gives inodes new numbers: either of both is enough.
        """
        if (self.size_bytes, self.modified_ns) != (other.size_bytes, other.modified_ns):
            return False
        return self.inode == other.inode or self.changed_ns == other.changed_ns


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A file or an object, named relative to the folder or prefix being copied.

    Attributes:
        name: segments separated by `/`, as an S3 key has them.
        size_bytes: its length.
        modified_ns: when it was last changed, nanoseconds since the epoch.
        etag: the object's ETag without quotes; None for a file.
        stamp: the file's; None for an object.
        storage_class: the object's; empty for a file.
    """

    name: str
    size_bytes: int
    modified_ns: int = 0
    etag: str | None = None
    stamp: Stamp | None = None
    storage_class: str = ""


class Obstacle(msgspec.Struct, frozen=True, gc=False):
    """Something that is there but cannot be copied; its counterpart is left as it is.

    Attributes:
        name: the thing's name; with a trailing `/` it is a folder, and all below it is meant.
        reason: why, for the user.
        is_failure: whether the run must report it as failed (else it is a warning).
    """

    name: str
    reason: str
    is_failure: bool


Listed = Entry | Obstacle


def is_sorted_before(first: str, second: str) -> bool:
    """Tell whether `first` comes before `second` in the order of S3 listings.

    S3 orders keys by their UTF-8 bytes, and UTF-8 keeps the order of code points, which is how
    Python compares strings.
    """
    return first < second


@dataclass(frozen=True, slots=True)
class Selection:
    """Which names take part: those that no `exclude` matches, and an `include` if there is one.

    A pattern is a shell pattern in which `*` also crosses `/`; it is tried on the whole name, on
    its last segment, and on every folder above it (so `node_modules` leaves out a whole folder).
    """

    exclude: Sequence[str] = ()
    include: Sequence[str] = ()

    @property
    def takes_all(self) -> bool:
        """Whether every name takes part."""
        return not self.exclude and not self.include

    def admits(self, name: str) -> bool:
        """Tell whether `name` takes part."""
        if not self.may_hold(name):
            return False
        return not self.include or _matches(name, self.include)

    def may_hold(self, folder: str) -> bool:
        """Tell whether names below a folder may take part; they may where nothing excludes it."""
        return not self.exclude or not _matches(folder, self.exclude)


class AncestorStack:
    """Which of the names seen so far stand where later names need a folder.

    Names must arrive in listing order. Kept are only names that the current one begins with, so
    memory is bounded by a key's length: `a` is forgotten at the first name that does not begin
    with `a`, since `a/…` cannot come any more.
    """

    def __init__(self) -> None:
        self._names: list[str] = []

    def above(self, name: str) -> str | None:
        """Return the remembered name that is a folder above `name`, if there is one."""
        while self._names and not name.startswith(self._names[-1]):
            self._names.pop()
        for known in self._names:
            if name != known and name.startswith(known if known.endswith("/") else known + "/"):
                return known
        return None

    def remember(self, name: str) -> None:
        """Keep `name` for the names to come; call `above(name)` first."""
        self._names.append(name)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(
        fnmatch.fnmatchcase(candidate, pattern.rstrip("/"))
        for candidate in _candidates(name)
        for pattern in patterns
    )


def _candidates(name: str) -> Iterator[str]:
    whole = name.rstrip("/")
    yield whole
    segments = whole.split("/")
    yield segments[-1]
    for end in range(1, len(segments)):
        yield "/".join(segments[:end])
        yield segments[end - 1]
