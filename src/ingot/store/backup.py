"""Copies of a whole store, consistent while servers write to it; a copy is a store itself."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from ingot.base.atomic import fsync_directory, write_atomically
from ingot.base.errors import ConflictError
from ingot.store import keys
from ingot.store.blobs.files import FileBlobs
from ingot.store.catalog.sqlite import CATALOG_FILE, SqliteCatalog
from ingot.store.check import Report, check_directory
from ingot.store.errors import StoreFailedError
from ingot.store.fences import decode_fence, encode_fence
from ingot.store.layout import FORMAT_FILE, require_store
from ingot.store.named import named_blobs
from ingot.store.store import GARBAGE_LOCK

# What belongs to running servers and not to the data: uploads in progress and the garbage queue.
_TRANSIENT = (keys.UPLOADS, keys.PARTS, keys.GARBAGE)
_DELETE = "DELETE FROM record WHERE key >= ? AND key < ? AND partition LIKE 'bucket/%'"
_OF_BUCKETS = "FROM record WHERE key = ? AND partition LIKE 'bucket/%'"


def copy_store(
    root: Path,
    target: Path,
    advance: Callable[[int], None],
    *,
    link: bool = False,
    ignored: frozenset[str] = frozenset(),
) -> Report:
    """Copy a store as it is at one moment, and verify the copy.

    The catalog is copied first, in one read transaction; then the blobs that it names, which no
    server removes meanwhile. Unfinished uploads are left out.

    Args:
        root: the store; servers may be using it.
        target: an empty directory.
        advance: called with the bytes of bodies just copied, and once more when verified.
        link: whether blobs may share their bytes on the device with the original.
        ignored: names in `target` that do not count.

    Returns:
        What the check of the copy found; problems are those of the original.

    Raises:
        NotFoundError: there is no store.
        ConflictError: the target is not empty.
        StoreFullError: there is no room.
        OSError: the target cannot be written.
    """
    require_store(root)
    if set(os.listdir(target)) - ignored:
        raise ConflictError(f"{target} is not empty", hint="give an empty directory")
    try:
        with _garbage_kept(root):
            _copy_catalog(root, target)
            _copy_blobs(root, target, advance, link=link)
        for folder, _, _ in os.walk(target / "blobs"):
            fsync_directory(Path(folder))
        # Last, because it makes the directory a store.
        write_atomically(target / FORMAT_FILE, (root / FORMAT_FILE).read_bytes())
        return check_directory(target, advance)
    except BaseException:
        for name in ("catalog", "blobs"):
            shutil.rmtree(target / name, ignore_errors=True)
        raise


@contextlib.contextmanager
def _garbage_kept(root: Path) -> Iterator[None]:
    """Let no server remove the blobs of overwritten and deleted objects."""
    descriptor = os.open(root / GARBAGE_LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _copy_catalog(root: Path, target: Path) -> None:
    path = target / "catalog" / CATALOG_FILE
    path.parent.mkdir(mode=0o700)
    try:
        with (
            contextlib.closing(sqlite3.connect(root / "catalog" / CATALOG_FILE)) as old,
            contextlib.closing(sqlite3.connect(path)) as new,
        ):
            # In one step: between steps others could write, and the copy would begin anew.
            old.backup(new, pages=-1)
            for space in _TRANSIENT:
                new.execute(_DELETE, (space, keys.behind_prefix(space)))
            _count_anew(new)
            new.commit()
    except sqlite3.Error as error:
        raise StoreFailedError(f"the catalog of {root} cannot be copied: {error}") from error
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    fsync_directory(path.parent)


def _count_anew(catalog: sqlite3.Connection) -> None:
    """Have what quotas are about counted by the first server: parts that counted are gone."""
    fences = catalog.execute(f"SELECT partition, value {_OF_BUCKETS}", (keys.FENCE,)).fetchall()
    for partition, value in fences:
        rules = decode_fence(value)
        if rules.quota is not None:
            counting = rules.quota._replace(counting=secrets.token_hex(4))
            fence = encode_fence(rules._replace(quota=counting))
            change = "UPDATE record SET value = ? WHERE partition = ? AND key = ?"
            catalog.execute(change, (fence, partition, keys.FENCE))
    catalog.execute(f"DELETE {_OF_BUCKETS}", (keys.USAGE,))


def _copy_blobs(root: Path, target: Path, advance: Callable[[int], None], *, link: bool) -> None:
    for name in ("data", "packs"):
        (target / "blobs" / name).mkdir(mode=0o700, parents=True)
    catalog = SqliteCatalog(target / "catalog")
    try:
        blobs = FileBlobs(root / "blobs")
        try:
            for blob_id in named_blobs(catalog):
                advance(blobs.export(blob_id, target / "blobs", link=link))
        finally:
            blobs.close(settled=True)
    finally:
        catalog.close()
