"""What `ls`, `du` and `tree` show of a local path: its files and folders, links as they are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ingot.base.errors import Error, NotFoundError
from ingot.client.listing import Line
from ingot.client.localnames import printable


def list_local(path: str, *, recursive: bool) -> Iterator[Line]:
    """Yield the file at a path, or what is in the folder, in the order that names have on S3.

    Args:
        path: where; a link here is followed, links in folders are not.
        recursive: all files below, without folders.

    Raises:
        NotFoundError: there is nothing.
        Error: it cannot be read.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            folder, slash, name = path.rpartition("/")
            yield _line(name, f"{folder}{slash}", status)
            return
        yield from _below(path if path.endswith("/") else f"{path}/", recursive=recursive)
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} does not exist") from error
    except OSError as error:
        raise Error(f"cannot read {error.filename or path}: {error.strerror}") from error


def _below(root: str, *, recursive: bool) -> Iterator[Line]:
    waiting = [_names(root, "")]
    while waiting:
        name = next(waiting[-1], None)
        if name is None:
            waiting.pop()
        elif recursive and name.endswith("/"):
            waiting.append(_names(root, name))
        else:
            try:
                status = os.lstat(root + name)
            except FileNotFoundError:
                continue  # it went since it was listed
            yield _line(name, root, status)


def _names(root: str, folder: str) -> Iterator[str]:
    """Return the names in a folder, relative to the root; folders end with a slash."""
    with os.scandir(root + folder) as scan:
        names = [item.name + "/" * item.is_dir(follow_symlinks=False) for item in scan]
    return iter([folder + name for name in sorted(names, key=os.fsencode)])


def _line(name: str, base: str, status: os.stat_result) -> Line:
    is_folder = stat.S_ISDIR(status.st_mode)
    return Line(
        printable(name),
        base=printable(base),
        is_folder=is_folder,
        size_bytes=0 if is_folder else status.st_size,
        modified_ns=status.st_mtime_ns,
    )
