"""Opens .deb files without running anything in them: ar, a compressed tar, an index of its files.

A package is decompressed once; after that a build only reads the index, and file bodies stay in
the kept tar until an output copies them. Format: deb(5), ar(5).
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import BinaryIO, cast

from ingot.base.errors import IntegrityError
from ingot.base.units import GIB, KIB
from ingot.oci.packed import Row, cached_entries
from ingot.oci.tarball import TarballError, decompressed, read_tar
from ingot.oci.tree import Entry, Kind, check_path

UNPACKED_BYTES_MAX = 4 * GIB
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_AR_MEMBERS_MAX = 16
_CHUNK_BYTES = 256 * KIB
_DATA_MEMBERS = frozenset({"data.tar", "data.tar.gz", "data.tar.xz", "data.tar.zst"})
_KINDS: frozenset[Kind] = frozenset({"file", "directory", "symlink", "hardlink"})


class DebFormatError(IntegrityError):
    """A file is not a .deb, or a damaged or hostile one."""

    slug = "deb"


def unpack(deb: Path, sha256: str, cache_dir: Path) -> list[Entry]:
    """Return the entries of a .deb whose digest was verified, in the order of its tar.

    Args:
        deb: the file; it is only read when the cache has not been filled from it yet.
        sha256: its digest, the cache's key.
        cache_dir: see `cached_entries`.

    Raises:
        DebFormatError: it is no .deb, is damaged, or holds paths or kinds it must not.
    """
    return cached_entries(cache_dir, sha256, lambda bodies: _unpack_into(deb, bodies))


def data_member(file: BinaryIO, name: str) -> tuple[str, int]:
    """Return the name and size of a .deb's data member, `file` standing at its first byte.

    Raises:
        DebFormatError: the ar archive is damaged or has no known data member.
    """
    if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
        raise DebFormatError(f"{name} is not a Debian package")
    for _ in range(_AR_MEMBERS_MAX):
        header = file.read(_AR_HEADER_BYTES)
        if len(header) < _AR_HEADER_BYTES:
            break
        member = header[:16].decode("ascii", "replace").strip().rstrip("/")
        size = header[48:58].strip()
        if header[58:60] != b"`\n" or not size.isdigit():
            raise DebFormatError(f"{name} is damaged: a member's header is malformed")
        size_bytes = int(size)
        if member in _DATA_MEMBERS:
            return member, size_bytes
        # Members begin at even offsets.
        file.seek(size_bytes + size_bytes % 2, os.SEEK_CUR)
    raise DebFormatError(f"{name} has no data archive in a known compression")


def _unpack_into(deb: Path, bodies: BinaryIO) -> list[Row]:
    """Copy the decompressed tar to `bodies` and return where its files lie there."""
    with open(deb, "rb") as file:
        member, size_bytes = data_member(file, deb.name)
        packed = cast("BinaryIO", io.BufferedReader(_Window(file, size_bytes), _CHUNK_BYTES))
        try:
            rows = read_tar(
                decompressed(packed, member.rpartition(".")[2]),
                bodies,
                name=deb.name,
                clean=_clean,
                size_bytes_max=UNPACKED_BYTES_MAX,
            )
        except TarballError as error:
            raise DebFormatError(error.message) from error
    for row in rows:
        if row.kind not in _KINDS:
            raise DebFormatError(f"{deb.name}: {row.path} is a {row.kind}, which no package holds")
    return rows


def _clean(name: str) -> str:
    return check_path(name.removeprefix("./").rstrip("/"))


class _Window(io.RawIOBase):
    """The next `size_bytes` of a file, as a file of its own."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file = file
        self._left = size_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override] # any buffer
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)
