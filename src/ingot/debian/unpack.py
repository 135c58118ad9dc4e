"""Opens .deb files without running anything in them: ar, a compressed tar, an index of its files.

A package is decompressed once; after that a build only reads the index, and file bodies stay in
the kept tar until an output copies them. Format: deb(5), ar(5).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import sys
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ingot.base.errors import IntegrityError
from ingot.base.units import GIB, KIB
from ingot.debian.packed import Row, cached_entries
from ingot.oci.tree import Entry, Kind, TreeError, check_path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACKED_BYTES_MAX = 4 * GIB
_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60
_AR_MEMBERS_MAX = 16
_CHUNK_BYTES = 256 * KIB
_DATA_MEMBERS = frozenset({"data.tar", "data.tar.gz", "data.tar.xz", "data.tar.zst"})
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
}


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
        try:
            packed = cast("BinaryIO", io.BufferedReader(_Window(file, size_bytes), _CHUNK_BYTES))
            tee = _Tee(_stream(member, packed), bodies, deb.name)
            # A stream that is only read forward needs nothing of a file but `read`.
            with tarfile.open(
                fileobj=cast("BinaryIO", tee), mode="r|", bufsize=_CHUNK_BYTES
            ) as archive:
                rows = [
                    _row(item, archive, deb.name)
                    for item in archive
                    if item.name.strip("/") not in {"", "."}
                ]
            # The compression's own checksum stands at its end.
            while tee.read(_CHUNK_BYTES):
                pass
        except (
            *(lzma.LZMAError, zstd.ZstdError, gzip.BadGzipFile, zlib.error, EOFError),
            *(tarfile.TarError, TreeError, ValueError),
        ) as error:
            raise DebFormatError(f"{deb.name} is damaged: {error}") from error
    return rows


class _Tee:
    """Hands on what it reads from `source` and keeps a copy in `target`."""

    def __init__(self, source: _Readable, target: BinaryIO, name: str) -> None:
        self._source = source
        self._target = target
        self._name = name
        self._left = UNPACKED_BYTES_MAX

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DebFormatError(f"{self._name} unpacks to more than {UNPACKED_BYTES_MAX} bytes")
        self._target.write(data)
        return data


def _stream(member: str, packed: BinaryIO) -> _Readable:
    """Return the tar inside a data member."""
    match member.rpartition(".")[2]:
        case "xz":
            return lzma.LZMAFile(packed)
        case "zst":
            return zstd.ZstdFile(packed)
        case "gz":
            return gzip.GzipFile(fileobj=packed)
        case _:
            return packed


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


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


def _row(member: tarfile.TarInfo, archive: tarfile.TarFile, name: str) -> Row:
    kind = _KINDS.get(member.type)
    if kind is None:
        raise DebFormatError(f"{name}: {member.name} is of a kind packages must not hold")
    path = check_path(member.name.removeprefix("./").rstrip("/"))
    link = None
    if kind == "symlink":
        link = member.linkname
    elif kind == "hardlink":
        link = check_path(member.linkname.removeprefix("./"))
    digest = ""
    if kind == "file":
        if member.issparse():
            raise DebFormatError(f"{name}: {member.name} is a sparse file")
        body = archive.extractfile(member)
        assert body is not None
        hasher = hashlib.sha256()
        while chunk := body.read(_CHUNK_BYTES):
            hasher.update(chunk)
        digest = hasher.hexdigest()
    return Row(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        link=link,
        size_bytes=member.size if kind == "file" else 0,
        offset=member.offset_data if kind == "file" else 0,
        digest=digest,
    )
