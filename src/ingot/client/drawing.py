"""Walks the folders below an address and says how each line of a drawn tree begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ingot.base.errors import NotFoundError
from ingot.client.listing import Line

_BRANCH, _LAST_BRANCH = "├─ ", "└─ "
_TRUNK, _NOTHING = "│  ", "   "


@dataclass(frozen=True, slots=True)
class Twig:
    """One line of the drawing.

    Attributes:
        branch: what stands before the name.
        line: the folder or object, named relative to its folder.
        level: 1 for what is directly below the root.
    """

    branch: str
    line: Line
    level: int


class _Folder:
    """A folder whose lines are being drawn: the next one is known before one is handed out."""

    def __init__(self, lines: Iterator[Line], key: str, before: str) -> None:
        self._lines = lines
        self.key = key
        self.before = before
        self.next = next(lines, None)

    def take(self) -> Line | None:
        line, self.next = self.next, next(self._lines, None)
        return line


def draw(
    listing: Callable[[str], Iterator[Line]],
    *,
    with_files: bool,
    levels: int | None,
) -> Iterator[Twig]:
    """Yield the lines below a root, each folder before what is in it.

    Every folder is a listing of its own, so what lies deeper than `levels` is never asked for.

    Args:
        listing: lists one level, by name: that of the root, or of a folder by its path from there.
        with_files: draw objects too.
        levels: how deep; None for all.

    Raises:
        NotFoundError: there is nothing at the root.
        DeniedError, NetworkError: the service refused or is away.
    """

    def opened(path: str, before: str) -> _Folder:
        lines = listing(path)
        # A marker of the folder itself has no name below it.
        shown = (line for line in lines if line.name and (with_files or line.is_folder))
        return _Folder(shown, path, before)

    def entered(path: str, before: str) -> _Folder:
        try:
            return opened(path, before)
        except NotFoundError:
            # What was in it went since it was listed, or the service shows folders that are empty.
            return _Folder(iter(()), path, before)

    stack = [opened("", "")]
    while stack:
        folder = stack[-1]
        line = folder.take()
        if line is None:
            stack.pop()
            continue
        is_last = folder.next is None
        yield Twig(folder.before + (_LAST_BRANCH if is_last else _BRANCH), line, len(stack))
        if line.is_folder and (levels is None or len(stack) < levels):
            before = folder.before + (_NOTHING if is_last else _TRUNK)
            stack.append(entered(folder.key + line.name, before))
