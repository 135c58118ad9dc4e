"""Which keys may become which local paths: nothing may land outside of the target folder."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from ingot.base.atomic import is_temporary
from ingot.base.errors import ConflictError, Error
from ingot.base.limits import KEY_BYTES_MAX
from ingot.client.beneath import folder_above
from ingot.client.entries import Stamp

# Linux: NAME_MAX of every common file system.
_SEGMENT_BYTES_MAX = 255
# Of so many characters none has more bytes than that.
_SHORT_SEGMENT = _SEGMENT_BYTES_MAX // 4
_SPECIAL_SEGMENTS = frozenset({"", ".", ".."})


class BlockedError(ConflictError):
    """A folder stands where a file goes; it goes away with what is in it, if that is removed."""


def tree_name_problem(name: str) -> str | None:
    """Say why an object of this relative name cannot be a file below a folder, or None."""
    if not name:
        return "its name is empty below the prefix"
    if name.endswith("/"):
        return "its name ends with '/', as a folder's does, but it has content"
    if "\0" in name:
        return "its name has a NUL character"
    if is_unfinished(name):
        return "its name is that of an unfinished download"
    for segment in name.split("/"):
        # Asked of each name more than once: most are short, and no more is to be known of them.
        if len(segment) <= _SHORT_SEGMENT and segment not in _SPECIAL_SEGMENTS:
            continue
        if problem := _segment_problem(segment):
            return problem
    return None


def is_unfinished(name: str) -> bool:
    """Tell whether a name is that of a download in progress, here or of another process."""
    return ".tmp" in name and any(map(is_temporary, name.split("/")))


def check_tree_name(name: str) -> None:
    """Make sure that a name stays below the folder that it is taken from.

    Raises:
        Error: it is hostile (`tree_name_problem`).
    """
    if problem := tree_name_problem(name):
        raise Error(f"{printable(name)!r} cannot be a file: {problem}")


def _segment_problem(segment: str) -> str | None:
    if segment == "":
        return "its name has an empty segment (it begins with '/' or has '//')"
    if segment in (".", ".."):
        return f"its name has the segment {segment!r}, which leads elsewhere"
    if len(segment.encode("utf-8", "surrogatepass")) > _SEGMENT_BYTES_MAX:
        return f"its name has a segment over {_SEGMENT_BYTES_MAX} bytes, too long for a file"
    return None


def key_problem(name: str, prefix: str) -> str | None:
    """Say why a file of this relative name cannot become the key `prefix + name`, or None."""
    try:
        size_bytes = len((prefix + name).encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if size_bytes > KEY_BYTES_MAX:
        return f"its key would have {size_bytes} bytes; S3 allows {KEY_BYTES_MAX}"
    return None


def printable(name: str) -> str:
    """Return a name that can be written to any stream: bytes that are no UTF-8 become `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def are_apart(first: Path, second: Path) -> bool:
    """Tell whether neither of two folders lies in the other, by whatever links and mounts.

    A folder that is not there yet lies where it would be made.
    """
    one, other = _lineage(first), _lineage(second)
    return one[0] not in other and other[0] not in one


def _lineage(folder: Path) -> list[tuple[int, int] | Path]:
    """Return what tells the folder, and those that it lies in, from all others."""
    known: list[tuple[int, int] | Path] = []
    real = Path(os.path.realpath(folder))
    for path in (real, *real.parents):
        try:
            status = os.stat(path)
        except OSError:
            known.append(path)
        else:
            known.append((status.st_dev, status.st_ino))
    return known


def prepare_local_path(
    root: Path, name: str, *, makes_folders: bool = True, replaces: bool = True
) -> str:
    """Return the path of `name` below `root`, with every folder above it made.

    Links inside `root` are not followed: a link left there must not let an object out.

    Args:
        root: a folder, or where one may be made.
        name: the file's below it.
        makes_folders: if not, nothing is changed: it is only told what stands in the way.
        replaces: whether there may be a file of this name.

    Raises:
        Error: the name is hostile (`tree_name_problem`).
        BlockedError: a folder stands where the file goes.
        ConflictError: a file or link stands where a folder is needed, or a link where the file
            goes, or a file that is not to be replaced.
    """
    check_tree_name(name)
    # Strings, not paths: this runs once for each file of a large tree.
    start = path_below(root, "")
    path = start + name
    folder, slash, _ = name.rpartition("/")
    if slash:
        # Where that is, there is also what it is in.
        if not _has_folders(start, folder, makes_them=makes_folders):
            return path
    elif not os.path.isdir(start or "."):
        if not makes_folders:
            return path
        os.makedirs(start, exist_ok=True)
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return path
    if stat.S_ISDIR(mode):
        raise BlockedError(f"{path} is a folder, not a plain file")
    if not stat.S_ISREG(mode):
        raise ConflictError(f"{path} is {describe(mode)}, not a plain file")
    if not replaces:
        raise ConflictError(
            f"{path} was not there when the target was listed; it stays as it is",
            hint="run it again; if it stays so, that file system takes two names for one",
        )
    return path


def path_below(root: Path, name: str) -> str:
    """Return what `str(root / name)` is, faster."""
    start = str(root)
    return name if start == "." else f"{start}{name}" if start == "/" else f"{start}/{name}"


def _has_folders(start: str, folder: str, *, makes_them: bool) -> bool:
    """Tell whether a folder and those above it are there, by now if they are to be made.

    Raises:
        ConflictError: a file or link stands where one is needed.
    """
    current = start
    for segment in folder.split("/"):
        current += segment
        try:
            mode = os.lstat(current).st_mode
        except FileNotFoundError:
            if not makes_them:
                return False
            os.makedirs(start or ".", exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(current)
        else:
            if not stat.S_ISDIR(mode):
                raise ConflictError(f"{current} is {describe(mode)}, but a folder is needed there")
        current += "/"
    return True


def remove_local_file(
    root: Path, name: str, *, follows_links: bool = False, listed: Stamp | None = None
) -> None:
    """Delete the file `name` below `root`, and the folders above it that are empty then.

    Args:
        root: a folder.
        name: the file's below it.
        follows_links: whether folders above the file may be links; else one that became a link
            fails, since what is behind it was never looked at.
        listed: what it looked like; None if that does not matter.

    Raises:
        Error: the name is hostile (`tree_name_problem`).
        ConflictError: it is another file by now.
        OSError: it cannot be deleted. A file that is gone, or made way for a folder, is no error.
    """
    check_tree_name(name)
    try:
        with folder_above(root, name, follows_links=follows_links) as (folder, last):
            if listed is not None and not _may_be(listed, folder, last):
                # Or the same, to a file system that does not tell `A` from `a`.
                raise ConflictError(f"{root / name} is another file than was listed; it stays")
            os.unlink(last, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError):
        return
    remove_empty_folders(root, name)


def _may_be(listed: Stamp, folder: int, name: str) -> bool:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return stat.S_ISDIR(status.st_mode) or listed.may_be_same_file(Stamp.of(status))


def remove_empty_folders(root: Path, name: str) -> None:
    """Delete the folders above `name` that are empty, up to the root, which stays, or a link."""
    parent = os.path.dirname(name)
    # One that is not empty, or a link, ends it.
    with contextlib.suppress(OSError):
        while parent:
            with folder_above(root, parent) as (folder, last):
                os.rmdir(last, dir_fd=folder)
            parent = os.path.dirname(parent)


def count_below(root: Path, name: str) -> int:
    """Return how many things that are no folders are in a folder below `root`, however deep.

    Raises:
        OSError: it cannot be looked at.
    """
    count = 0
    with folder_above(root, name) as (folder, last):
        for _, inner, files, above in os.fwalk(last, onerror=_fail, dir_fd=folder):
            # A link to a folder is no folder here.
            modes = (os.stat(one, dir_fd=above, follow_symlinks=False).st_mode for one in inner)
            count += len(files) + sum(map(stat.S_ISLNK, modes))
    return count


def remove_hollow_folder(root: Path, name: str) -> None:
    """Delete a folder below `root` in which nothing is but folders; what is not one stays."""
    with contextlib.suppress(OSError), folder_above(root, name) as (folder, last):
        if count_below(root, name):
            return
        for _, inner, _, above in os.fwalk(last, topdown=False, onerror=_fail, dir_fd=folder):
            for one in inner:
                os.rmdir(one, dir_fd=above)
        os.rmdir(last, dir_fd=folder)


def _fail(error: OSError) -> None:
    raise error


def describe(mode: int) -> str:
    """Say in words what a file's mode says it is."""
    for test, words in (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISREG, "a file"),
    ):
        if test(mode):
            return words
    return "a device"
