"""Adds up the objects of each folder from an ordered listing; pure, one open branch in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ingot.client.listing import Line


@dataclass(slots=True)
class Usage:
    """What a folder holds, with everything below it.

    Attributes:
        path: relative to what was asked for, with a slash at its end; empty for that itself.
        objects: how many objects.
        size_bytes: how long they are together.
    """

    path: str
    objects: int = 0
    size_bytes: int = 0


def usage(lines: Iterable[Line], levels: int | None) -> Iterator[Usage]:
    """Yield each folder once all below it was seen, so what was asked for comes last.

    Args:
        lines: a recursive listing, by name.
        levels: how many levels of folders to tell of; 0 only the sum, None all.
    """
    open_folders = [Usage("")]
    for line in lines:
        while not line.name.startswith(open_folders[-1].path):
            yield _closed(open_folders)
        folders = line.name.split("/")[:-1][:levels]
        for folder in folders[len(open_folders) - 1 :]:
            open_folders.append(Usage(f"{open_folders[-1].path}{folder}/"))
        open_folders[-1].objects += not line.is_folder
        open_folders[-1].size_bytes += line.size_bytes
    while open_folders:
        yield _closed(open_folders)


def _closed(open_folders: list[Usage]) -> Usage:
    """Take the innermost folder and count it in the one above."""
    done = open_folders.pop()
    if open_folders:
        open_folders[-1].objects += done.objects
        open_folders[-1].size_bytes += done.size_bytes
    return done
