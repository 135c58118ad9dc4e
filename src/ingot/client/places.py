"""Where one content is: a file below a folder, or an object; what a copy goes from and to."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ingot.client.addresses import RemoteAddress


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file: `name` below `root`, which nothing that is written may leave.

    Attributes:
        root: a folder.
        name: segments separated by `/`.
        follows_links: whether it is read through links: its own, and those in the folders above.
    """

    root: Path
    name: str
    follows_links: bool = field(default=True, compare=False)

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.root / self.name


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object; to read from, perhaps one of its versions."""

    address: RemoteAddress
    version_id: str | None = None


Place = FilePlace | ObjectPlace
