"""A local folder as an ordered listing, walked in bounded memory; reads names, never contents."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ingot.base.atomic import is_temporary, sync_file_system
from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.client.beneath import folder_above, open_folder
from ingot.client.entries import Entry, Listed, Obstacle, Selection, Stamp
from ingot.client.leftovers import Leftovers, first_names
from ingot.client.localnames import (
    describe,
    is_unfinished,
    printable,
    remove_local_file,
    tree_name_problem,
)
from ingot.client.places import FilePlace, Place

_LEADS_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class LocalTree:
    """The files below a folder, by name relative to it.

    Symbolic links are not followed unless asked for: a link may lead out of the folder, and what
    it leads to may not be meant for others. Each is listed as an `Obstacle`, so the user is told
    and its counterpart stays as it is. Folders have no entries of their own, as in S3.

    Args:
        root: the folder; it may itself be a link.
        selection: names that do not pass are as if they were not there.
        follow_links: take what links lead to, files and folders; loops are cut.
        may_be_missing: a folder that does not exist yet is an empty one (as a target).
        avoid: a folder that no link leads into: what is being written is not read again.
        leftovers: removes what killed downloads left in it, as it is come across.
    """

    is_file_tree = True

    def __init__(
        self,
        root: Path,
        selection: Selection | None = None,
        *,
        follow_links: bool = False,
        may_be_missing: bool = False,
        avoid: Path | None = None,
        leftovers: Leftovers | None = None,
    ) -> None:
        self.root = root
        # As a path shows it: nothing before names in the current folder, one slash elsewhere.
        self._shown_root = str(root / "x")[:-1]
        self._selection = selection or Selection()
        self.follows_links = follow_links
        self._may_be_missing = may_be_missing
        self._avoid = avoid if follow_links else None
        self._leftovers = leftovers
        self._identity: tuple[int, int] | None = None

    def check(self) -> None:
        """Make sure that the folder is there, and still the same one as at the first check.

        Raises:
            NotFoundError: it does not exist.
            UsageError: it is no folder.
            Error: it cannot be read, or another folder took its place (a volume was unmounted).
        """
        if self._may_be_missing and not os.path.lexists(self.root):
            return
        identity = self._examine()
        if self._identity is None:
            self._identity = identity
        elif identity != self._identity:
            raise Error(f"another folder took the place of {self.root} meanwhile")

    def admits(self, name: str) -> bool:
        """Tell whether a file of this name takes part: it is selected, and no unfinished download.

        Files that downloads write until they are whole are nobody's content yet.
        """
        return not is_unfinished(name) and self._selection.admits(name)

    def concerns(self, name: str) -> bool:
        """Tell whether a change of this name matters, which may be a file's or a folder's."""
        return not is_unfinished(name) and self._selection.may_hold(name)

    def lacks(self, name: str) -> bool:
        """Tell whether this is still the folder that was checked, and has no file of this name.

        A folder of this name has no entry, as in S3; a link, or what is behind one, is not known.

        Raises:
            Error: as `check`.
        """
        self.check()
        if tree_name_problem(name):
            return True
        if not self.follows_links and _link_above(self.root, name):
            return False
        try:
            status = self._status(name)
        except OSError as error:
            raise Error(f"cannot look at {self.label(name)}: {error.strerror}") from error
        return status is None or stat.S_ISDIR(status.st_mode)

    def remove(self, entries: Sequence[Entry]) -> dict[str, Error]:
        """Delete files, and folders that become empty; return what could not be deleted."""
        failed: dict[str, Error] = {}
        for entry in entries:
            name = entry.name
            try:
                remove_local_file(self.root, name, listed=entry.stamp)
            except OSError as error:
                failed[name] = Error(f"cannot delete {self.label(name)}: {error.strerror}")
            except Error as error:
                failed[name] = error
        return failed

    def tidied(self, below: str) -> frozenset[str] | None:
        """See `Tree`; None for what cannot be read, or is more than is looked through."""
        if below and tree_name_problem(below[:-1]):
            return None
        try:
            with closing(_OpenFolder(self._descriptor)) as opened:
                return first_names(opened.at(below), self._leftovers)
        except FileNotFoundError:
            return frozenset()
        except OSError:
            return None

    def settle(self) -> None:
        """Wait until the device has what was written.

        Raises:
            Error: it failed, or the folder is another one by now, which has perhaps none of it.
        """
        try:
            self.check()
            sync_file_system(self.root)
        except OSError as error:
            raise Error(f"cannot write to {self.root}: {error.strerror}") from error

    def label(self, name: str) -> str:
        """Return the path for people."""
        if not name:
            return f"{self.root}/"
        path = f"{self._shown_root}{name}"
        # What is ASCII can be written as it is; this is asked for every file.
        return path if path.isascii() else printable(path)

    def place(self, name: str) -> Place:
        """Return where the file of this name is."""
        return FilePlace(self.root, name, follows_links=self.follows_links)

    def name_problem(self, name: str) -> str | None:
        """Say why no file of this name can be written here, or None."""
        return tree_name_problem(name)

    def _examine(self) -> tuple[int, int]:
        """Return what tells this folder from another at the same path.

        Raises:
            NotFoundError: it does not exist.
            UsageError: it is no folder.
            Error: it cannot be read.
        """
        try:
            status = os.stat(self.root)
            if not stat.S_ISDIR(status.st_mode):
                raise UsageError(f"{self.root} is not a folder")
            os.close(os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except FileNotFoundError as error:
            raise NotFoundError(f"the folder {self.root} does not exist") from error
        except OSError as error:
            raise Error(f"cannot read the folder {self.root}: {error.strerror}") from error
        return status.st_dev, status.st_ino

    def entries(self, below: str = "") -> Iterator[Listed]:
        """Yield what is in the folder, ascending by name as S3 lists keys.

        Memory is one folder's names for each level that is open.

        Args:
            below: only this name itself (a file) and what is below it (a folder).

        Raises:
            NotFoundError, UsageError, Error: as `check`.
        """
        if self._may_be_missing and not os.path.lexists(self.root):
            return
        self.check()
        if not below:
            yield from self._walk("")
            return
        # Whoever writes keys must not learn, or delete, what lies outside: `../x` is no name here.
        if tree_name_problem(below) or not self.concerns(below):
            return
        if not self.follows_links and (link := _link_above(self.root, below)):
            yield Obstacle(link, "is a symbolic link", is_failure=False)
            return
        found = self._file(below)
        if isinstance(found, _Folder):
            yield from self._walk(below + "/")
        elif found is not None and self.admits(below):
            yield found

    def _walk(self, start: str) -> Iterator[Listed]:
        with closing(_OpenFolder(self._descriptor)) as opened:
            first = self._entered(start, (), opened)
            if isinstance(first, Obstacle):
                if not start:
                    raise Error(f"the folder {self.root} {first.reason}")
                yield first
            # An explicit stack: a generator inside a generator per level would make each entry
            # pass through every level above it.
            stack = [first] if isinstance(first, _Frame) else []
            while stack:
                frame = stack[-1]
                if not frame.names:
                    stack.pop()
                    continue
                name = frame.names.pop()
                if name.endswith("/"):
                    entered = self._entered(name, frame.ancestors, opened)
                    if isinstance(entered, _Frame):
                        stack.append(entered)
                    elif entered is not None:
                        yield entered
                    continue
                item = self._file(name, opened, frame.prefix)
                # A file that became a folder meanwhile is found by the next walk.
                if item is not None and not isinstance(item, _Folder):
                    yield item

    def _descriptor(self, prefix: str) -> int:
        folders = prefix.split("/")[:-1]
        return open_folder(self.root, folders, follows_links=self.follows_links, flags=os.O_RDONLY)

    def _entered(
        self, prefix: str, ancestors: tuple[tuple[int, int], ...], opened: _OpenFolder
    ) -> _Frame | Obstacle | None:
        """Read a folder's names; None if it vanished since its own was read, as any file may."""
        try:
            return self._read(prefix, ancestors, opened.at(prefix))
        except _LoopError as loop:
            return Obstacle(prefix, str(loop), is_failure=False)
        except FileNotFoundError:
            if not prefix:
                raise Error(f"the folder {self.root} vanished") from None
            return None
        except OSError as error:
            return Obstacle(prefix, f"cannot be read: {error.strerror}", is_failure=True)

    def _read(self, prefix: str, ancestors: tuple[tuple[int, int], ...], descriptor: int) -> _Frame:
        status = os.fstat(descriptor)
        identity = (status.st_dev, status.st_ino)
        if identity in ancestors:
            raise _LoopError("is a link to a folder above it")
        if self._avoid is not None and _is_at(identity, self._avoid):
            raise _LoopError("is the folder that is written to")
        names = []
        takes_all, follows = self._selection.takes_all, self.follows_links
        with os.scandir(descriptor) as scan:
            for item in scan:
                name = prefix + item.name
                # `a/` sorts among its siblings where `a/…` will stand: after `a-` and `a.`.
                if _is_folder(item, follow_links=follows):
                    if self.concerns(name):
                        names.append(name + "/")
                elif (takes_all and ".tmp" not in name) or self.admits(name):
                    names.append(name)
                elif self._leftovers is not None and is_temporary(item.name):
                    self._leftovers.remove(descriptor, item.name)
        names.sort(reverse=True)
        return _Frame(prefix, names, (*ancestors, identity))

    def _file(
        self, name: str, opened: _OpenFolder | None = None, prefix: str = ""
    ) -> Listed | _Folder | None:
        """Return what has a name, None if nothing has."""
        try:
            if opened is None:
                status = self._status(name)
            else:
                status = self._status_in(opened.at(prefix), name[len(prefix) :])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return Obstacle(name, f"cannot be read: {error.strerror}", is_failure=True)
        if status is None:
            return None
        return _Folder() if stat.S_ISDIR(status.st_mode) else self._item(name, status)

    def _status(self, name: str) -> os.stat_result | None:
        """Look at `name`, through a link if links are followed; None if it is not there."""
        try:
            with folder_above(self.root, name, follows_links=self.follows_links) as (above, last):
                return self._status_in(above, last)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _status_in(self, folder: int, name: str) -> os.stat_result | None:
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if self.follows_links and stat.S_ISLNK(status.st_mode):
            try:
                return os.stat(name, dir_fd=folder)
            except OSError as error:
                if error.errno not in _LEADS_NOWHERE:
                    raise
                return status  # a link that leads nowhere is listed as the link it is
        return status

    def _item(self, name: str, status: os.stat_result) -> Listed:
        if stat.S_ISREG(status.st_mode):
            stamp = Stamp.of(status)
            return Entry(name, stamp.size_bytes, stamp.modified_ns, None, stamp)
        return Obstacle(name, f"is {describe(status.st_mode)}", is_failure=False)


class _Frame:
    """A folder: what its names begin with, those still to come, last first, and what is above."""

    __slots__ = ("ancestors", "names", "prefix")

    def __init__(
        self, prefix: str, names: list[str], ancestors: tuple[tuple[int, int], ...]
    ) -> None:
        self.prefix = prefix
        self.names = names
        self.ancestors = ancestors


class _Folder:
    """Stands for what is a folder, which has no entry of its own."""


class _OpenFolder:
    """The folder whose names are looked at; one is held open, however deep the tree is."""

    def __init__(self, opened: Callable[[str], int]) -> None:
        self._opened = opened
        self._prefix: str | None = None
        self._descriptor = -1

    def at(self, prefix: str) -> int:
        """Return a descriptor of the folder whose names begin like this.

        Raises:
            OSError: it cannot be opened, or is none any more.
        """
        if prefix != self._prefix:
            self.close()
            self._descriptor = self._opened(prefix)
            self._prefix = prefix
        return self._descriptor

    def close(self) -> None:
        """Let it go."""
        if self._prefix is not None:
            self._prefix = None
            os.close(self._descriptor)


class _LoopError(Exception):
    """A link leads to a folder that is being walked, or written to."""


def _is_folder(item: os.DirEntry[str], *, follow_links: bool) -> bool:
    try:
        return item.is_dir(follow_symlinks=follow_links)
    except OSError:  # a link that leads nowhere, or in circles
        return False


def _is_at(identity: tuple[int, int], path: Path) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return identity == (status.st_dev, status.st_ino)


def _link_above(root: Path, name: str) -> str | None:
    """Return the first folder above `name` that is a symbolic link."""
    segments = name.split("/")
    for end in range(1, len(segments)):
        folder = "/".join(segments[:end])
        if os.path.islink(root / folder):
            return folder
    return None
