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
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from ingot.base.atomic import atomic_writer, write_atomically
from ingot.base.errors import IntegrityError
from ingot.base.units import GIB, KIB
from ingot.oci.tree import Content, Entry, Kind, TreeError, check_path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Counts up when the stored index changes, so that old caches are not misread.
_SCHEMA = 1
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


class _Row(msgspec.Struct, frozen=True, array_like=True):
    """An entry as the index stores it; `offset` counts from the tar's beginning."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    link: str | None = None
    size_bytes: int = 0
    offset: int = 0
    digest: str = ""


_ROWS = msgspec.msgpack.Decoder(tuple[int, list[_Row]])


def unpack(deb: Path, sha256: str, cache_dir: Path) -> list[Entry]:
    """Return the entries of a .deb whose digest was verified, in the order of its tar.

    Args:
        deb: the file; it is only read when the cache has not been filled from it yet.
        sha256: its digest, the cache's key.
        cache_dir: `unpacked/` below it keeps the tar and the index.

    Raises:
        DebFormatError: it is no .deb, is damaged, or holds paths or kinds it must not.
    """
    folder = cache_dir / "unpacked" / sha256[:2]
    tar = folder / f"{sha256}.tar"
    index = folder / f"{sha256}.{_SCHEMA}.index"
    rows = _read_index(index)
    if rows is None:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_writer(tar) as file:
            _decompress(deb, file)
        rows = _scan(tar, deb.name)
        write_atomically(index, msgspec.msgpack.encode((_SCHEMA, rows)))
    path = str(tar)
    return [_entry(row, path) for row in rows]


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


def _decompress(deb: Path, target: BinaryIO) -> None:
    with open(deb, "rb") as file:
        member, size_bytes = data_member(file, deb.name)
        written = 0
        try:
            stream = _stream(member, io.BufferedReader(_Window(file, size_bytes), _CHUNK_BYTES))
            while chunk := stream.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > UNPACKED_BYTES_MAX:
                    raise DebFormatError(f"{deb.name} unpacks to more than {UNPACKED_BYTES_MAX}")
                target.write(chunk)
        except (lzma.LZMAError, zstd.ZstdError, gzip.BadGzipFile, EOFError) as error:
            raise DebFormatError(f"{deb.name} is damaged: {error}") from error


def _stream(member: str, packed: io.BufferedReader) -> _Readable:
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


def _scan(tar: Path, name: str) -> list[_Row]:
    try:
        with open(tar, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            return [
                _row(member, file, name)
                for member in archive
                if member.name.strip("/") not in {"", "."}
            ]
    except (tarfile.TarError, TreeError, ValueError) as error:
        raise DebFormatError(f"{name} is damaged: {error}") from error


def _row(member: tarfile.TarInfo, tar: BinaryIO, name: str) -> _Row:
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
        digest = _digest(tar, member.offset_data, member.size)
    return _Row(
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


def _digest(file: BinaryIO, offset: int, size_bytes: int) -> str:
    """Hash a range by positioned reads, which leave the tar reader's own place alone."""
    digest = hashlib.sha256()
    end = offset + size_bytes
    while offset < end:
        chunk = os.pread(file.fileno(), min(_CHUNK_BYTES * 4, end - offset), offset)
        if not chunk:
            raise ValueError("the archive ends inside a file")
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def _read_index(path: Path) -> list[_Row] | None:
    try:
        schema, rows = _ROWS.decode(path.read_bytes())
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return rows if schema == _SCHEMA else None


def _entry(row: _Row, tar: str) -> Entry:
    content = None
    if row.kind == "file":
        content = Content(row.size_bytes, None, tar, row.offset, row.digest)
    return Entry(row.path, row.kind, row.mode, row.uid, row.gid, row.link, content)
