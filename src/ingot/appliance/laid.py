"""What an appliance file lays over its images: `files` and `volumes`.

Pure, but for the files of the host that `files: source` names.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence

from ingot.appliance.keys.files import FileEntry
from ingot.appliance.keys.volumes import Volume
from ingot.appliance.rootfs import image_root
from ingot.appliance.spec import Appliance
from ingot.base.errors import Error, UsageError
from ingot.oci.image import Image
from ingot.oci.tree import Content, Entry, Tree, directory, symlink

_FOLDER_MODE = 0o700
_FILE_MODE = 0o600


def add_volumes(
    root: Tree,
    volumes: Sequence[Volume],
    images: Mapping[str, Image],
    layouts: Mapping[str, Tree],
) -> None:
    """Add the folders of every volume: what it begins with, and where it is mounted."""
    for volume in volumes:
        for part in ("lower", "tmp", "merged"):
            root.add(directory(f"{volume.folder}/{part}"))
        if volume.format == "oci":
            root.merge(layouts[volume.name], f"{volume.folder}/lower")
        elif volume.image:
            root.merge(image_root(images[volume.image]), f"{volume.folder}/lower")


def add_files(root: Tree, appliance: Appliance) -> None:
    """Add the files in their order.

    Directories that exist keep their mode and owner; missing ones get the file's owner and mode,
    and may be entered by whoever may read.

    Raises:
        UsageError: an owner is unknown, or a source is no file.
        Error: a source cannot be read.
    """
    for entry in appliance.files:
        _add_file(root, entry, appliance)


def _add_file(root: Tree, entry: FileEntry, appliance: Appliance) -> None:
    uid, gid = (_id(value, appliance.ids, entry.path) for value in (entry.uid, entry.gid))
    content = _content(entry, appliance)
    if entry.symlink is not None:
        mode = 0o755 if entry.mode is None else entry.mode
        _add_parents(root, entry.path, mode, uid, gid)
        root.add(symlink(entry.path, entry.symlink))
    elif entry.directory:
        mode = _FOLDER_MODE if entry.mode is None else entry.mode
        _add_parents(root, entry.path, mode, uid, gid)
        root.add(directory(entry.path, mode, uid=uid, gid=gid))
    elif content is not None:
        mode = _FILE_MODE if entry.mode is None else entry.mode
        _add_parents(root, entry.path, mode, uid, gid)
        root.add(Entry(entry.path, "file", mode, uid, gid, content=content))


def _add_parents(root: Tree, path: str, mode: int, uid: int, gid: int) -> None:
    mode = mode & 0o777 | (mode & 0o444) >> 2
    parts = path.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        parent = "/".join(parts[:count])
        if root.resolve(parent) is None:
            root.add(directory(parent, mode, uid=uid, gid=gid))


def _content(entry: FileEntry, appliance: Appliance) -> Content | None:
    if entry.contents is not None:
        return Content.of(entry.contents)
    if entry.metadata is not None:
        return Content.of(appliance.yaml_text if entry.metadata == "yaml" else appliance.json_text)
    if entry.source is None:
        return None
    try:
        status = entry.source.stat()
        if stat.S_ISREG(status.st_mode):
            with entry.source.open("rb"):
                return Content(status.st_size, path=str(entry.source.absolute()))
    except OSError as error:
        if entry.optional:
            return None
        raise Error(f"files: {entry.path}: {entry.source}: {error.strerror}") from error
    raise UsageError(
        f"files: {entry.path}: {entry.source} is no regular file",
        hint="name one file in each entry; whole folders come as an image: dir:PATH",
    )


def _id(value: int | str, ids: Mapping[str, int], path: str) -> int:
    if isinstance(value, int):
        return value
    if value in {"", "root"}:
        return 0
    if value not in ids:
        raise UsageError(f"files: {path}: {value!r} is no number and no container of this file")
    return ids[value]
