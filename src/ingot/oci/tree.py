"""A file system as a value: entries by path, merged by rules a tar extraction follows.

Nothing here touches a disk except `Content.read`; file bodies stay where they are
(a range of a cached archive) until an output copies them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from ingot.base.errors import Error, IntegrityError

Kind: TypeAlias = Literal["file", "directory", "symlink", "hardlink", "char", "block", "fifo"]

# Linux gives up after 40 symbolic links (path_resolution(7)); so do we.
SYMLINK_HOPS_MAX = 40
_DIGEST_CHUNK_BYTES = 1 << 20


class TreeError(Error):
    """An entry cannot stand where it was put."""

    slug = "tree"


class Content(msgspec.Struct, frozen=True):
    """The bytes of a regular file: held in memory, or a range of a file on disk.

    Attributes:
        size_bytes: how many bytes there are.
        data: the bytes themselves, or None when they lie in `path`.
        path: the file of the host that holds them, from `offset` on.
        offset: where they begin in `path`.
        digest: their SHA-256 in hex where it is known already.
    """

    size_bytes: int
    data: bytes | None = None
    path: str | None = None
    offset: int = 0
    digest: str | None = None

    @classmethod
    def of(cls, data: bytes | str) -> Content:
        """Hold bytes (text becomes UTF-8) in memory."""
        raw = data.encode() if isinstance(data, str) else data
        return cls(size_bytes=len(raw), data=raw)

    def read(self) -> bytes:
        """Return all bytes.

        Raises:
            IntegrityError: the file is shorter than the range.
            OSError: the file cannot be read.
        """
        return b"".join(self.chunks())

    def chunks(self, size_bytes: int = _DIGEST_CHUNK_BYTES) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most `size_bytes`; raises as `read` does."""
        if self.data is not None:
            yield self.data
            return
        assert self.path is not None
        left = self.size_bytes
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset)
            while left:
                chunk = file.read(min(left, size_bytes))
                if not chunk:
                    raise IntegrityError(
                        f"{self.path} ends {left} bytes early",
                        hint="the cache is damaged: remove that file and build again",
                    )
                left -= len(chunk)
                yield chunk

    def slice(self, start: int, size_bytes: int) -> bytes:
        """Return the bytes from `start` on, at most `size_bytes` of them; raises as `read` does."""
        return self.part(start, min(size_bytes, self.size_bytes - start)).read()

    def part(self, start: int, size_bytes: int) -> Content:
        """Return `size_bytes` of the bytes from `start` on, which must be there, unread."""
        assert start + size_bytes <= self.size_bytes
        if self.data is not None:
            return Content.of(self.data[start : start + size_bytes])
        return Content(size_bytes, path=self.path, offset=self.offset + start)

    def sha256(self) -> str:
        """Return the SHA-256 in hex, computing it only where it is not known."""
        if self.digest is not None:
            return self.digest
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()


class Entry(msgspec.Struct, frozen=True):
    """One name in a file system. Times are not kept: every output writes its one fixed time.

    Attributes:
        path: relative to the root, no leading slash, no `.` or `..` parts.
        mode: permission bits with setuid, setgid and sticky; no type bits.
        link: a symlink's text as it is stored; a hardlink's other path (as `path` is written).
        content: the body of a file, None for every other kind.
        device: major and minor of a char or block device.
        xattrs: extended attributes, ordered by name.
    """

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    link: str | None = None
    content: Content | None = None
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()


def file(path: str, data: bytes | str, mode: int = 0o644, *, uid: int = 0, gid: int = 0) -> Entry:
    """Make a regular file from bytes in memory."""
    return Entry(path, "file", mode, uid, gid, content=Content.of(data))


def directory(path: str, mode: int = 0o755, *, uid: int = 0, gid: int = 0) -> Entry:
    """Make a directory."""
    return Entry(path, "directory", mode, uid, gid)


def symlink(path: str, target: str) -> Entry:
    """Make a symbolic link."""
    return Entry(path, "symlink", 0o777, link=target)


class Tree:
    """Entries by path. The last writer of a path wins; parents always exist and are directories.

    Paths are resolved as an extraction into this file system would: a parent that is a symlink
    is followed inside the tree (so `bin/sh` lands in `usr/bin` where `bin` points there).
    A hard link is kept as a second file with the same content: outputs that store equal
    content once make links of them again.
    Iteration is sorted by path, so parents come before their children.
    """

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        # Canonical directory by directory as written; dropped when a link or removal may change it.
        self._known_parents: dict[str, str] = {"": ""}

    def __iter__(self) -> Iterator[Entry]:
        entries = self._entries
        return (entries[path] for path in sorted(entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def get(self, path: str) -> Entry | None:
        """Return the entry whose canonical path is `path`, following no links."""
        return self._entries.get(path)

    def add(self, entry: Entry) -> None:
        """Put an entry, creating the directories above it (0755, root).

        A directory put where a symlink to a directory stands leaves the link alone, as tar and
        dpkg do.

        Raises:
            TreeError: the path is not clean, lies below a file, replaces a directory that is not
                empty, or is a hard link to nothing.
        """
        parent, _, name = check_path(entry.path).rpartition("/")
        directory = self._ensure_directory(parent)
        path = f"{directory}/{name}" if directory else name
        if entry.kind == "hardlink":
            entry = self._second_name(entry)
        existing = self._entries.get(path)
        if existing is not None and not self._replace(existing, entry):
            return
        self._entries[path] = entry if entry.path == path else _moved(entry, path)
        if entry.kind != "directory":
            if existing is not None and existing.kind in {"directory", "symlink"}:
                self._known_parents = {"": ""}
        elif existing is not None and existing.kind != "directory":
            self._known_parents = {"": ""}

    def merge(self, other: Tree, prefix: str = "") -> None:
        """Add every entry of `other` below `prefix`; raises as `add` does."""
        for entry in other:
            self.add(_moved(entry, f"{prefix}/{entry.path}") if prefix else entry)

    def remove(self, path: str) -> None:
        """Remove a path with all below it; a path that is not there is no error."""
        self._known_parents = {"": ""}
        entry = self._entries.pop(path, None)
        if entry is not None and entry.kind == "directory":
            for below in self._below(path):
                del self._entries[below]

    def remove_all(self, paths: set[str]) -> None:
        """Remove exactly these paths; directories among them must have become empty."""
        for path in paths:
            self._entries.pop(path, None)
        self._known_parents = {"": ""}

    def resolve(self, path: str) -> Entry | None:
        """Return what `path` leads to inside this tree when every symlink is followed.

        Returns None where something is missing, a file stands in the way, or links form a loop.
        """
        pending = _steps(path)
        current = ""
        hops = 0
        while pending:
            part = pending.pop()
            if part == "..":
                current = current.rpartition("/")[0]
                continue
            above, current = current, f"{current}/{part}" if current else part
            entry = self._entries.get(current)
            if entry is None or (pending and entry.kind not in {"directory", "symlink"}):
                return None
            if entry.kind == "symlink":
                hops += 1
                if hops > SYMLINK_HOPS_MAX:
                    return None
                target = entry.link or ""
                current = "" if target.startswith("/") else above
                pending += _steps(target)
        return self._entries.get(current)

    def digest(self) -> str:
        """Return a SHA-256 over every path, attribute and content: equal trees, equal digests."""
        digest = hashlib.sha256()
        for entry in self:
            content = entry.content.sha256() if entry.content is not None else None
            row = (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.link, content)
            digest.update(repr((*row, entry.device, entry.xattrs)).encode())
        return digest.hexdigest()

    def _ensure_directory(self, path: str) -> str:
        """Return the canonical path of the directory `path`, making what is missing."""
        known = self._known_parents.get(path)
        if known is not None:
            return known
        pending = _steps(path)
        here = ""
        hops = 0
        while pending:
            part = pending.pop()
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            above, here = here, f"{here}/{part}" if here else part
            entry = self._entries.get(here)
            if entry is None:
                self._entries[here] = Entry(here, "directory", 0o755)
            elif entry.kind == "symlink":
                hops += 1
                if hops > SYMLINK_HOPS_MAX:
                    raise TreeError(f"{path}: too many levels of symbolic links")
                target = entry.link or ""
                here = "" if target.startswith("/") else above
                pending += _steps(target)
            elif entry.kind != "directory":
                raise TreeError(f"{path}/ cannot be a directory: {here} is a {entry.kind}")
        self._known_parents[path] = here
        return here

    def _second_name(self, entry: Entry) -> Entry:
        target = self.resolve(entry.link or "")
        if target is None or target.kind != "file":
            raise TreeError(f"{entry.path} is a hard link to {entry.link}, which is no file here")
        return _moved(target, entry.path)

    def _replace(self, existing: Entry, entry: Entry) -> bool:
        """Say whether `entry` takes the place of `existing`, or raise if it must not."""
        if entry.kind == "directory":
            if existing.kind != "symlink":
                return True
            target = self.resolve(existing.path)
            return target is None or target.kind != "directory"
        if existing.kind == "directory" and next(self._below(existing.path), None) is not None:
            raise TreeError(
                f"{entry.path}: a {entry.kind} cannot replace a directory that is not empty"
            )
        return True

    def _below(self, path: str) -> Iterator[str]:
        prefix = f"{path}/"
        return iter([name for name in self._entries if name.startswith(prefix)])


def _steps(path: str) -> list[str]:
    """Return a path's parts, the last one first, as a stack to walk by."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]


def check_path(path: str) -> str:
    """Return `path` if it is a clean relative path.

    Raises:
        TreeError: it is empty, absolute, has `.`, `..` or empty parts, or a NUL character.
    """
    # The whole string is tested before its parts: almost every path takes this way.
    wrapped = f"/{path}/"
    clean = "//" not in wrapped and "/../" not in wrapped and "/./" not in wrapped
    if path and clean and "\0" not in path:
        return path
    raise TreeError(f"{path!r} is not a path inside a file system tree")


def _moved(entry: Entry, path: str) -> Entry:
    return msgspec.structs.replace(entry, path=path)
