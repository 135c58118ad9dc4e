"""Folders and tar files read by member name, without extracting anything."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Protocol

from ingot.base.errors import NotFoundError, UsageError
from ingot.oci.tree import Content, check_path

MEMBERS_MAX = 100_000
_LINKS_MAX = 8
_TAR_MAGIC_OFFSET = 257


class Files(Protocol):
    """Named byte sequences."""

    def get(self, name: str) -> Content | None:
        """Return a member by its clean relative path; None where there is none."""
        ...


class FolderFiles:
    """The regular files below a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def get(self, name: str) -> Content | None:
        """Return a file; raises TreeError for a path that leads out."""
        path = self._root / check_path(name)
        if not path.is_file():
            return None
        return Content(path.stat().st_size, path=str(path))


class TarFiles:
    """The members of an uncompressed tar file.

    Raises:
        UsageError: it is no such file.
    """

    def __init__(self, path: Path) -> None:
        self._members: dict[str, Content | str] = {}
        with open(path, "rb") as file:
            file.seek(_TAR_MAGIC_OFFSET)
            if file.read(5) != b"ustar":
                raise UsageError(
                    f"{path} is not a tar file",
                    hint="if it is compressed, decompress it first: gunzip, unzstd",
                )
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    self._note(member, path)
        except tarfile.TarError as error:
            raise UsageError(f"{path} cannot be read as a tar file: {error}") from error

    def get(self, name: str) -> Content | None:
        """Return a member, following links between members."""
        for _ in range(_LINKS_MAX):
            found = self._members.get(name)
            if not isinstance(found, str):
                return found
            name = found
        return None

    def _note(self, member: tarfile.TarInfo, path: Path) -> None:
        if len(self._members) >= MEMBERS_MAX:
            raise UsageError(f"{path} has more than {MEMBERS_MAX} members")
        name = member.name.removeprefix("./")
        if member.isreg():
            self._members[name] = Content(member.size, path=str(path), offset=member.offset_data)
        elif member.islnk():
            self._members[name] = member.linkname.removeprefix("./")
        elif member.issym():
            # Docker stores a layer that two images share once: `../ID/layer.tar`.
            folder = name.split("/")[:-1]
            for part in member.linkname.split("/"):
                folder = folder[:-1] if part == ".." else [*folder, part]
            self._members[name] = "/".join(folder)


def open_files(path: Path) -> Files:
    """Return the files of a folder or tar file.

    Raises:
        NotFoundError: there is nothing at `path`.
        UsageError: it is neither.
    """
    if path.is_dir():
        return FolderFiles(path)
    if not path.is_file():
        raise NotFoundError(f"{path} does not exist")
    return TarFiles(path)
