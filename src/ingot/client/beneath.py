"""Opens what lies below a folder by its name there, and on the way follows links only if it may.

Between a look at a path and its use a folder of it may become a link. Who deletes by the path then
deletes elsewhere, and who reads by it reads what nobody meant to give away.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ingot.client.places import FilePlace

_FOLDER = os.O_DIRECTORY | os.O_CLOEXEC
# A pipe that took a file's place must not hold us up.
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


def open_folder(
    root: str | Path, folders: Sequence[str], *, follows_links: bool, flags: int = os.O_PATH
) -> int:
    """Return a descriptor of a folder below `root`, which itself may be a link.

    Args:
        root: where it begins.
        folders: the names of the folders on the way, and its own.
        follows_links: whether these may be links.
        flags: how it is opened; `O_PATH` is enough for looking at, and removing, what is in it.

    Raises:
        OSError: it is not there; or one of them is no folder, perhaps a link to one.
    """
    if follows_links or not folders:
        return os.open(os.path.join(root, *folders), flags | _FOLDER)
    descriptor = os.open(root, os.O_PATH | _FOLDER)
    for index, folder in enumerate(folders, 1):
        above = descriptor
        how = flags if index == len(folders) else os.O_PATH
        try:
            descriptor = os.open(folder, how | _FOLDER | os.O_NOFOLLOW, dir_fd=above)
        finally:
            os.close(above)
    return descriptor


@contextmanager
def folder_above(
    root: str | Path, name: str, *, follows_links: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield a descriptor of the folder that a file is in, and the file's name there.

    Raises:
        OSError: as `open_folder`.
    """
    *folders, last = name.split("/")
    descriptor = open_folder(root, folders, follows_links=follows_links)
    try:
        yield descriptor, last
    finally:
        os.close(descriptor)


def open_file(place: FilePlace) -> int:
    """Return a descriptor that a file is read from.

    Raises:
        OSError: it is not there or cannot be read; or a link took its place, or that of a folder.
    """
    if place.follows_links:
        return os.open(place.path, _FILE)
    with folder_above(place.root, place.name) as (folder, last):
        return os.open(last, _FILE | os.O_NOFOLLOW, dir_fd=folder)
