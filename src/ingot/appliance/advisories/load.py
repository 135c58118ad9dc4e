"""Opens advisory files: the export of the tracker, or OSV as a file, list, zip archive, folder."""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ingot.appliance.advisories.finding import Database
from ingot.appliance.advisories.osv import Osv
from ingot.appliance.advisories.tracker import Tracker
from ingot.base.errors import NotFoundError, UsageError
from ingot.base.units import GIB, MIB

RECORD_BYTES_MAX = 16 * MIB
RECORDS_MAX = 5_000_000
FILE_BYTES_MAX = 4 * GIB
_BLANKS = b" \t\r\n"


def open_database(path: Path) -> Database:
    """Return the advisories at `path`.

    A single file is mapped into memory, not copied; records of a folder or archive are read one
    by one when they are searched.

    Raises:
        NotFoundError: there is nothing at `path`.
        UsageError: it holds no advisories, or a file is too large.
    """
    if path.is_dir():
        return Osv(lambda: _of_folder(path))
    try:
        if zipfile.is_zipfile(path):
            return Osv(lambda: _of_archive(path))
        with path.open("rb") as file:
            size_bytes = file.seek(0, 2)
            if not 0 < size_bytes <= FILE_BYTES_MAX:
                raise UsageError(f"{path} is empty or larger than {FILE_BYTES_MAX} bytes")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return _of_file(path, data)


def _of_file(path: Path, data: mmap.mmap) -> Database:
    try:
        if _first(data) == b"[":
            items = msgspec.json.decode(data, type=list[msgspec.Raw])
            return Osv(lambda: ((f"{path}[{at}]", item) for at, item in enumerate(items)))
        rows = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} holds no advisories: {error}",
            hint="give the tracker's export (data/json), or OSV records as .json, .zip or folder",
        ) from error
    if {"id", "modified"} <= rows.keys():
        return Osv(lambda: [(str(path), data[:])])
    return Tracker(rows, str(path))


def _first(data: mmap.mmap) -> bytes:
    """Return the first byte that is no blank."""
    for at in range(len(data)):
        if data[at : at + 1] not in _BLANKS:
            return data[at : at + 1]
    return b""


def _of_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for number, place in enumerate(sorted(path.rglob("*.json"))):
        _check(str(place), number, place.stat().st_size)
        yield str(place), place.read_bytes()


def _of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for number, member in enumerate(archive.infolist()):
            if member.filename.endswith(".json"):
                what = f"{path}: {member.filename}"
                _check(what, number, member.file_size)
                try:
                    yield what, archive.read(member)
                except (zipfile.BadZipFile, OSError, EOFError) as error:
                    raise UsageError(f"{what} is damaged: {error}") from error


def _check(what: str, number: int, size_bytes: int) -> None:
    if number >= RECORDS_MAX:
        raise UsageError(f"{what}: there are more than {RECORDS_MAX} records")
    if size_bytes > RECORD_BYTES_MAX:
        raise UsageError(f"{what} is larger than {RECORD_BYTES_MAX} bytes")
