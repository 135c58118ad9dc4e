"""Where one content is: a file below a folder, or an object; what a copy goes from and to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ingot.client.addresses import RemoteAddress


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A file: `name` below `root`, which nothing that is written may leave."""

    root: Path
    name: str

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
