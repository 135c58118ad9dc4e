"""The two sides of a copy behind one contract: a local folder, or a prefix of a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from ingot.base.errors import Error
from ingot.client.entries import Entry, Listed
from ingot.client.places import Place


class Tree(Protocol):
    """Something that holds named contents, listed in UTF-8 byte order."""

    @property
    def is_file_tree(self) -> bool:
        """Whether `a` and `a/b` exclude each other, as in a file system."""
        ...

    def check(self) -> None:
        """Make sure that it is there and can be listed.

        Raises:
            NotFoundError: it is not there.
            Error: it cannot be read.
        """
        ...

    def entries(self, below: str = "") -> Iterator[Listed]:
        """Yield what it holds, strictly ascending by name; with `below`, that name and below it."""
        ...

    def lacks(self, name: str) -> bool:
        """Tell whether the tree is still the one that was checked and does not hold `name`.

        Asked right before a counterpart is removed, so that a folder that went away (a volume
        unmounted during the run) never empties the other side.
        """
        ...

    def remove(self, entries: Sequence[Entry]) -> dict[str, Error]:
        """Delete what was listed, and return by name what failed.

        One that is gone already is no failure; one that is another file by now is.
        """
        ...

    def tidied(self, below: str) -> frozenset[str] | None:
        """Remove what killed runs left right in a folder that is written to, where they do.

        Args:
            below: the folder's name with a slash at its end; empty for the whole tree's own.

        Returns:
            The names of what is right in it; None if that is not known.
        """
        ...

    def settle(self) -> None:
        """Make what was written durable, where copies do not see to it themselves.

        Raises:
            Error: it cannot be.
        """
        ...

    def place(self, name: str) -> Place:
        """Return where the content of this name is."""
        ...

    def name_problem(self, name: str) -> str | None:
        """Say why nothing of this name can be written here, or None."""
        ...

    def label(self, name: str) -> str:
        """Return how people call this name: a path, or `alias/bucket/key`."""
        ...
