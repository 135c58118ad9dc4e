"""A plain folder of the host as an image's tree: owned by root, with modes umask cannot move."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ingot.base.errors import UsageError
from ingot.oci.tree import Content, Entry, Tree, directory, symlink

FILES_MAX = 1_000_000


def folder_tree(root: Path) -> Tree:
    """Return everything below a folder.

    Directories and executable files have the mode 0755, other files 0644, so that every checkout
    of the same sources gives the same tree.

    Raises:
        UsageError: it holds sockets, pipes or devices, or more than `FILES_MAX` files.
        OSError: it cannot be read.
    """
    tree = Tree()
    for entry in _entries(root, ""):
        tree.add(entry)
        if len(tree) > FILES_MAX:
            raise UsageError(f"{root} holds more than {FILES_MAX} files")
    return tree


def _entries(folder: Path, prefix: str) -> Iterator[Entry]:
    with os.scandir(folder) as found:
        children = sorted(found, key=lambda child: child.name)
    for child in children:
        path = f"{prefix}{child.name}"
        status = child.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            yield symlink(path, os.readlink(child.path))
        elif stat.S_ISDIR(status.st_mode):
            yield directory(path)
            yield from _entries(Path(child.path), f"{path}/")
        elif stat.S_ISREG(status.st_mode):
            mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            body = Content(status.st_size, path=os.path.abspath(child.path))
            yield Entry(path, "file", mode, content=body)
        else:
            raise UsageError(f"{child.path} is no file, directory or symbolic link")
