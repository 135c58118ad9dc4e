"""The store's directory: its format file, which says what wrote it and who may read it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import msgspec

from ingot.base.atomic import write_atomically
from ingot.base.errors import NotFoundError
from ingot.store.errors import StoreFormatError

FORMAT = "ingot-store"
# Version 2 brought packs of small blobs; what version 1 wrote is good as it is.
FORMAT_VERSION = 2
FORMAT_FILE = "format.json"


class Format(msgspec.Struct, frozen=True):
    """The content of the format file.

    Attributes:
        format: `FORMAT`.
        version: of the directory's layout; a reader refuses a higher one than its own.
        deployment_id: names this store for as long as it lives.
    """

    format: str
    version: int
    deployment_id: str


def prepare_directory(root: Path) -> Format:
    """Create the store's directory and its format file, or check the one that is there.

    An older format is raised to this version's: older readers would misread what comes now.

    Raises:
        StoreFormatError: the directory is of a newer version, or its format file is no such.
        OSError: the directory cannot be created or written.
    """
    root.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Several processes may begin on an empty directory at the same time.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        path = root / FORMAT_FILE
        if not path.exists():
            import uuid

            return _write(path, Format(FORMAT, FORMAT_VERSION, str(uuid.uuid4())))
        found = _read(path)
        if found.version < FORMAT_VERSION:
            return _write(path, msgspec.structs.replace(found, version=FORMAT_VERSION))
        return found
    finally:
        os.close(descriptor)


def require_store(root: Path) -> Format:
    """Make sure that a directory holds a store that can be read, without touching it.

    Raises:
        NotFoundError: it holds none.
        StoreFormatError: it is of a newer version, or its format file is no such.
    """
    path = root / FORMAT_FILE
    if not path.is_file():
        raise NotFoundError(
            f"{root} holds no store", hint="give the directory that a server keeps its data in"
        )
    return _read(path)


def _write(path: Path, made: Format) -> Format:
    write_atomically(path, msgspec.json.encode(made) + b"\n")
    return made


def _read(path: Path) -> Format:
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Format)
    except msgspec.DecodeError as error:
        raise StoreFormatError(f"{path} is no format file of a store: {error}") from error
    if found.format != FORMAT:
        raise StoreFormatError(f"{path} describes {found.format!r}, not an Ingot store")
    if found.version > FORMAT_VERSION:
        raise StoreFormatError(
            f"{path.parent} has format {found.version}; this version reads up to {FORMAT_VERSION}",
            hint="use the version of Ingot that wrote it, or a newer one",
        )
    return found
