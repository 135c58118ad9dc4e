"""Unpacked archives in the cache: one file of bodies, one index of entries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from ingot.base.atomic import atomic_writer, write_atomically
from ingot.oci.tree import Content, Entry, Kind

# Counts up when the stored index changes, so that old caches are not misread.
_SCHEMA = 1


class Row(msgspec.Struct, frozen=True, array_like=True):
    """An entry as the index stores it; `offset` counts from the beginning of the bodies' file."""

    path: str
    kind: Kind
    mode: int
    uid: int = 0
    gid: int = 0
    link: str | None = None
    size_bytes: int = 0
    offset: int = 0
    digest: str = ""
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[str, bytes], ...] = ()


_ROWS = msgspec.msgpack.Decoder(tuple[int, list[Row]])


def cached_entries(cache_dir: Path, key: str, fill: Callable[[BinaryIO], list[Row]]) -> list[Entry]:
    """Return the entries kept under `key`, calling `fill` the first time.

    Args:
        cache_dir: `unpacked/` below it keeps everything.
        key: hex digest of what the entries are made of.
        fill: writes all bodies to the file it is given and returns the rows; may read it back.
    """
    bodies, index = _paths(cache_dir, key)
    rows = _read(index) if bodies.exists() else None
    if rows is None:
        bodies.parent.mkdir(parents=True, exist_ok=True)
        with atomic_writer(bodies) as file:
            rows = fill(file)
        write_atomically(index, msgspec.msgpack.encode((_SCHEMA, rows)))
    path = str(bodies)
    return [_entry(row, path) for row in rows]


def is_cached(cache_dir: Path, key: str) -> bool:
    """Say whether `cached_entries` has something under `key`."""
    return all(path.exists() for path in _paths(cache_dir, key))


def _paths(cache_dir: Path, key: str) -> tuple[Path, Path]:
    folder = cache_dir / "unpacked" / key[:2]
    return folder / f"{key}.data", folder / f"{key}.{_SCHEMA}.index"


def _read(path: Path) -> list[Row] | None:
    try:
        schema, rows = _ROWS.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return rows if schema == _SCHEMA else None


def _entry(row: Row, bodies: str) -> Entry:
    content = None
    if row.kind == "file":
        content = Content(row.size_bytes, None, bodies, row.offset, row.digest)
    return Entry(
        path=row.path,
        kind=row.kind,
        mode=row.mode,
        uid=row.uid,
        gid=row.gid,
        link=row.link,
        content=content,
        device=row.device,
        xattrs=row.xattrs,
    )
