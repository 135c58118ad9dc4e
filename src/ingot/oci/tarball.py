"""Reads a tar stream into rows while a copy of it is kept, so that bodies are ranges of the copy.

Nothing is extracted: no name of the archive ever becomes a name on the host.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import sys
import tarfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, Protocol, cast

from ingot.base.errors import IntegrityError
from ingot.base.units import KIB
from ingot.oci.packed import Row
from ingot.oci.tree import Content, Kind, TreeError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEMBERS_MAX = 2_000_000
_CHUNK_BYTES = 256 * KIB
_XATTR_PREFIX = "SCHILY.xattr."
_KINDS: dict[bytes, Kind] = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.LNKTYPE: "hardlink",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.FIFOTYPE: "fifo",
}
_STREAM_ERRORS = (
    *(lzma.LZMAError, zstd.ZstdError, gzip.BadGzipFile, zlib.error, EOFError),
    *(tarfile.TarError, TreeError, ValueError),
)


class TarballError(IntegrityError):
    """A tar, or the compression around it, is damaged or hostile."""

    slug = "tarball"


class Readable(Protocol):
    """All that is needed of a stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none only at the end."""
        ...


class ContentStream:
    """The bytes of a file of a tree, read from beginning to end."""

    def __init__(self, content: Content) -> None:
        self._pieces = content.chunks(_CHUNK_BYTES)
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none only at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


def decompressed(packed: BinaryIO, compression: str) -> Readable:
    """Return the tar inside a stream: `xz`, `zst`, `gz`, or anything else for none."""
    match compression:
        case "xz":
            return lzma.LZMAFile(packed)
        case "zst":
            return zstd.ZstdFile(packed)
        case "gz":
            return gzip.GzipFile(fileobj=packed)
        case _:
            return packed


def read_tar(
    source: Readable,
    bodies: BinaryIO,
    *,
    name: str,
    clean: Callable[[str], str],
    size_bytes_max: int,
) -> list[Row]:
    """Copy a tar to `bodies` and return where its files lie there, in the archive's order.

    Args:
        source: the tar, decompressed.
        bodies: takes every byte of it.
        name: what errors call it.
        clean: turns a member's name, or the target of a hard link, into a path of a tree; raises
            TreeError where it must not. The root itself (`./`) is left out before.
        size_bytes_max: of the decompressed tar.

    Raises:
        TarballError: it is damaged, too large, or holds what it must not.
    """
    tee = _Tee(source, bodies, name, size_bytes_max)
    try:
        # A stream that is only read forward needs nothing of a file but `read`.
        with tarfile.open(
            fileobj=cast("BinaryIO", tee), mode="r|", bufsize=_CHUNK_BYTES
        ) as archive:
            rows: list[Row] = []
            for member in archive:
                if member.name.strip("/") in {"", "."}:
                    continue
                rows.append(_row(member, archive, name, clean))
                if len(rows) > MEMBERS_MAX:
                    raise TarballError(f"{name} holds more than {MEMBERS_MAX} files")
        # The compression's own checksum stands at its end.
        while tee.read(_CHUNK_BYTES):
            pass
    except _STREAM_ERRORS as error:
        raise TarballError(f"{name} is damaged: {error}") from error
    return rows


class _Tee:
    """Hands on what it reads from `source` and keeps a copy in `target`."""

    def __init__(self, source: Readable, target: BinaryIO, name: str, limit_bytes: int) -> None:
        self._source = source
        self._target = target
        self._name = name
        self._limit_bytes = limit_bytes
        self._left_bytes = limit_bytes

    def read(self, size: int) -> bytes:
        data = self._source.read(size)
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise TarballError(f"{self._name} unpacks to more than {self._limit_bytes} bytes")
        self._target.write(data)
        return data


def _row(
    member: tarfile.TarInfo, archive: tarfile.TarFile, name: str, clean: Callable[[str], str]
) -> Row:
    kind = _KINDS.get(member.type)
    if kind is None or member.issparse():
        raise TarballError(f"{name}: {member.name} is of a kind that is not read")
    link = None
    if kind == "symlink":
        link = member.linkname
    elif kind == "hardlink":
        link = clean(member.linkname)
    device = (member.devmajor, member.devminor) if kind in {"char", "block"} else None
    return Row(
        path=clean(member.name),
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        link=link,
        size_bytes=member.size if kind == "file" else 0,
        offset=member.offset_data if kind == "file" else 0,
        digest=_body_digest(member, archive) if kind == "file" else "",
        device=device,
        xattrs=_xattrs(member),
    )


def _body_digest(member: tarfile.TarInfo, archive: tarfile.TarFile) -> str:
    body = archive.extractfile(member)
    assert body is not None
    hasher = hashlib.sha256()
    while chunk := body.read(_CHUNK_BYTES):
        hasher.update(chunk)
    return hasher.hexdigest()


def _xattrs(member: tarfile.TarInfo) -> tuple[tuple[str, bytes], ...]:
    # Values are bytes; tarfile hands them over as text that turns back without loss.
    found = (
        (key.removeprefix(_XATTR_PREFIX), value.encode("utf-8", "surrogateescape"))
        for key, value in member.pax_headers.items()
        if key.startswith(_XATTR_PREFIX)
    )
    return tuple(sorted(found))
