"""Tells whether two places have the same content, by what is known of them, else by their bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ingot.base.errors import Error, NotFoundError
from ingot.client.connections import Connections
from ingot.client.crew import VanishedError
from ingot.client.digests import ContentDigests, multipart_count
from ingot.client.entries import Entry, Stamp
from ingot.client.filecopy import same_bytes
from ingot.client.places import FilePlace, ObjectPlace, Place
from ingot.s3 import checksums
from ingot.s3.checksums import FULL_OBJECT, ChecksumValue
from ingot.s3client.errors import ServiceError
from ingot.s3client.results import ObjectInfo


class Comparison:
    """Compares contents of files and objects; safe to use from several threads.

    Args:
        connections: to the services.
        digests: of local files.
    """

    def __init__(self, connections: Connections, digests: ContentDigests) -> None:
        self._connections = connections
        self._digests = digests

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Tell of each pair whether its contents are known to be the same; reads neither."""
        asked = [_asked(source, target) for source, target in pairs]
        known = iter(self._digests.known_same([one for one in asked if one is not None]))
        return [one is not None and next(known) for one in asked]

    def is_same(self, source: Place, target: Place, entries: tuple[Entry, Entry]) -> bool:
        """Compare the contents of two places whose sizes are equal and whose ETags are not.

        Only content counts: an MD5 that is the ETag, or a checksum of all bytes that the service
        keeps. If neither side lets itself be compared, they count as different.

        Raises:
            VanishedError: the source is gone.
            Error: one of them cannot be read.
        """
        first, second = entries
        try:
            if isinstance(source, FilePlace):
                with vanishing(source):
                    if isinstance(target, FilePlace):
                        return self._files_are_same(source.path, target.path)
                    return self._file_is_object(source.path, target, second.etag or "")
            if isinstance(target, FilePlace):
                return self._file_is_object(target.path, source, first.etag or "")
            return self._objects_are_same(source, target)
        except (VanishedError, FileNotFoundError):
            # Only where it was listed has it vanished; a copy puts it there again.
            if isinstance(target, FilePlace) and not os.path.lexists(target.path):
                return False
            raise

    def _file_is_object(self, path: Path, place: ObjectPlace, etag: str) -> bool:
        try:
            stamp = Stamp.of(os.stat(path))
            is_same = self._has_content(path, place, etag)
            if is_same:
                self._digests.note(path, stamp, etag)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Error(f"cannot read {path}: {error.strerror}") from error
        return is_same

    def _has_content(self, path: Path, place: ObjectPlace, etag: str) -> bool:
        # An MD5 that matches settles it without a request. For a multipart ETag the stored
        # checksum comes first: one fast pass instead of one MD5 pass per likely part size.
        if multipart_count(etag) is None and self._digests.etag_matches(path, etag):
            return True
        checksum = self._info(place).checksum
        if checksum is not None and checksum.type == FULL_OBJECT:
            return self._digests.checksum(path, checksum.algorithm) == checksum.value
        return self._digests.etag_matches(path, etag) is True

    def _files_are_same(self, source: Path, target: Path) -> bool:
        try:
            stamps = Stamp.of(os.stat(source)), Stamp.of(os.stat(target))
            if stamps[0][:2] == stamps[1][:2]:
                return True
            digest = same_bytes(source, target)
            if digest is None:
                return False
            for path, stamp in zip((source, target), stamps, strict=True):
                self._digests.note_content(path, stamp, digest)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Error(f"cannot compare {source} and {target}: {error.strerror}") from error
        return True

    def _objects_are_same(self, source: ObjectPlace, target: ObjectPlace) -> bool:
        first, second = self._info(source), self._info(target)
        if first.etag == second.etag:
            return True
        if (told := told_by_checksums(first.checksum, second.checksum)) is not None:
            return told
        for info, other in ((first, target), (second, source)):
            checksum = info.checksum
            if checksum is not None and checksum.type == FULL_OBJECT:
                return self._checksum_of(other, checksum.algorithm) == checksum.value
        return False

    def _checksum_of(self, place: ObjectPlace, algorithm: str) -> str:
        """Read an object and return its checksum: less than copying it, which would write too."""
        total = checksums.new(algorithm)
        address = place.address
        client = self._connections.client(address.alias)
        with client.get_object(address.bucket, address.key) as stream:
            for piece in stream:
                total.update(piece)
        return checksums.encode(total.digest())

    def _info(self, place: ObjectPlace) -> ObjectInfo:
        address = place.address
        client = self._connections.client(address.alias)
        return client.head_object(address.bucket, address.key, version_id=place.version_id)


def told_by_checksums(first: ChecksumValue | None, second: ChecksumValue | None) -> bool | None:
    """Tell whether contents are equal, or None if these checksums leave it open.

    Checksums of parts that differ may come from the same bytes, cut differently.
    """
    if first is None or second is None or first.algorithm != second.algorithm:
        return None
    if first == second:
        return True
    return False if first.type == second.type == FULL_OBJECT else None


@contextmanager
def vanishing(source: FilePlace) -> Iterator[None]:
    """Tell a source that is gone from a bucket that is."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VanishedError(f"{source.path} is gone") from error
    except OSError as error:
        raise Error(f"cannot read {source.path}: {error.strerror}") from error
    except NotFoundError as error:
        if isinstance(error, ServiceError):
            raise
        raise VanishedError(error.message) from error


def _asked(source: Entry, target: Entry) -> tuple[Stamp, str | Stamp] | None:
    """Return a file's looks and what it may be the same as; None where there is no telling."""
    if source.stamp is None:
        return None if target.stamp is None or not source.etag else (target.stamp, source.etag)
    other = target.stamp or target.etag
    return (source.stamp, other) if other else None
