"""Copies one content from place to place, and tells whether two places have the same content."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.limits import COPY_BYTES_MAX
from ingot.client.addresses import RemoteAddress
from ingot.client.attributes import FileAttributes
from ingot.client.connections import Connections
from ingot.client.crew import Advance, VanishedError
from ingot.client.digests import ContentDigests, multipart_count
from ingot.client.entries import Entry, Stamp
from ingot.client.fileattributes import attributes_of_file, restore
from ingot.client.filecopy import Keeping, copy_file, prepared_path, same_bytes
from ingot.client.given import Given, content_headers_of
from ingot.client.journal import Identity, Journal
from ingot.client.localnames import printable
from ingot.client.places import FilePlace, ObjectPlace, Place
from ingot.client.trees import Tree
from ingot.client.wire import current
from ingot.s3 import checksums
from ingot.s3.checksums import FULL_OBJECT, ChecksumValue
from ingot.s3client.client import S3Client
from ingot.s3client.errors import ServiceError
from ingot.s3client.results import Attributes, ObjectInfo
from ingot.s3client.transfer import attributes_of


class Copier:
    """Moves contents between files and services; safe to use from several threads.

    Args:
        connections: to the services.
        digests: of local files.
        keep_times: carry a file's time, mode and owner as metadata, and set them on download.
        given: what objects that are written get beside their bytes.
        journal: of uploads in parts, so that a killed command's successor goes on with them.
    """

    def __init__(
        self,
        connections: Connections,
        digests: ContentDigests,
        *,
        keep_times: bool = False,
        given: Given | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._connections = connections
        self._digests = digests
        self._keep_times = keep_times
        self._given = given or Given()
        self._journal = journal

    @property
    def given(self) -> Given:
        """What objects get beside their bytes."""
        return self._given

    @property
    def changes_attributes(self) -> bool:
        """Whether a copy in place makes sense."""
        return bool(self._given)

    def copy(
        self,
        source: Place,
        target: Place,
        entry: Entry,
        advance: Advance,
        *,
        durable: bool = True,
    ) -> None:
        """Write the content at `source` to `target`, whole or not at all.

        Args:
            source: where it is.
            target: where it goes.
            entry: what the listing said of the source.
            advance: told of bytes as they move; may raise to stop.
            durable: whether a file is on the device when this returns; if not, the caller sees to
                it for all of them.

        Raises:
            VanishedError: the source is gone.
            SourceChangedError: the source changed while it was read.
            Error: anything else.
        """
        if isinstance(source, FilePlace):
            if isinstance(target, FilePlace):
                self._copy_file(source, target, advance, durable=durable)
            else:
                self._upload(source, target, advance)
        elif isinstance(target, FilePlace):
            self._download(source, target, entry, advance, durable=durable)
        else:
            self._copy_object(source, target, entry, advance)

    def is_same(self, source: Place, target: Place, entries: tuple[Entry, Entry]) -> bool:
        """Compare the contents of two places whose sizes are equal and whose ETags are not.

        Only content counts: an MD5 that is the ETag, or a checksum of all bytes that the service
        keeps. If neither side lets itself be compared, they count as different.

        Raises:
            VanishedError: the source is gone.
            Error: one of them cannot be read.
        """
        first, second = entries
        if isinstance(source, FilePlace):
            with vanishing(source):
                if isinstance(target, FilePlace):
                    return self._files_are_same(source.path, target.path)
                return self._file_is_object(source.path, target, second.etag or "")
        if isinstance(target, FilePlace):
            return self._file_is_object(target.path, source, first.etag or "")
        return self._objects_are_same(source, target)

    def _upload(self, source: FilePlace, target: ObjectPlace, advance: Advance) -> None:
        address = target.address
        transfers = self._connections.transfers(address.alias)
        with vanishing(source), ExitStack() as stack:
            status = os.stat(source.path)
            metadata = attributes_of_file(status).metadata() if self._keep_times else {}
            attributes = self._given.over(Attributes(content_headers_of(source.name), metadata))
            memory = None
            stamp = Stamp.of(status)
            if self._journal and transfers.splits(stamp.size_bytes):
                identity = _identity(source.path, target, attributes)
                memory = stack.enter_context(self._journal.entry(identity))
            made = transfers.upload_file(
                source.path,
                address.bucket,
                address.key,
                attributes=attributes,
                advance=advance,
                memory=memory,
            )
            # What the service calls these bytes it will call them in listings too.
            self._digests.note(source.path, stamp, made.etag)

    def _download(
        self,
        source: ObjectPlace,
        target: FilePlace,
        entry: Entry,
        advance: Advance,
        *,
        durable: bool,
    ) -> None:
        address = source.address
        path = prepared_path(target)
        info = self._connections.transfers(address.alias).download_file(
            address.bucket,
            address.key,
            path,
            size_bytes=entry.size_bytes,
            version_id=source.version_id,
            durable=durable,
            advance=advance,
        )
        if self._keep_times:
            restore(path, FileAttributes.parse(info.metadata), name=path)

    def _copy_file(
        self, source: FilePlace, target: FilePlace, advance: Advance, *, durable: bool
    ) -> None:
        keeping = Keeping(attributes=self._keep_times, durable=durable)
        path = prepared_path(target)
        with vanishing(source):
            copy_file(source.path, path, keeping, advance)

    def _copy_object(
        self, source: ObjectPlace, target: ObjectPlace, entry: Entry, advance: Advance
    ) -> None:
        origin, goal = source.address, target.address
        transfers = self._connections.transfers(goal.alias)
        attributes = None
        if self._given:
            attributes = self._given.over(self._attributes(source, goal))
        if origin.alias != goal.alias:
            transfers.upload_object(
                self._connections.client(origin.alias),
                origin.bucket,
                origin.key,
                goal.bucket,
                goal.key,
                attributes=attributes,
                source_version_id=source.version_id,
                advance=advance,
            )
        elif entry.size_bytes > COPY_BYTES_MAX:
            transfers.copy_object(
                origin.bucket,
                origin.key,
                goal.bucket,
                goal.key,
                attributes=attributes,
                source_version_id=source.version_id,
                advance=advance,
            )
        else:
            client = self._connections.client(goal.alias)
            client.copy_object(
                origin.bucket,
                origin.key,
                goal.bucket,
                goal.key,
                attributes=attributes,
                source_version_id=source.version_id,
            )
            advance(entry.size_bytes)

    def _attributes(self, source: ObjectPlace, goal: RemoteAddress) -> Attributes:
        """Return what the object at `source` has that its copy shall keep."""
        origin, info = source.address, self.info(source)
        if origin.alias == goal.alias and info.size_bytes <= COPY_BYTES_MAX:
            # The service copies the tags itself, unless it is given others.
            return Attributes(info.content_headers, info.metadata, info.storage_class)
        return attributes_of(
            self.client(source), origin.bucket, origin.key, info, version_id=source.version_id
        )

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Tell of each pair whether its contents are known to be the same; reads neither."""
        asked = [_asked(source, target) for source, target in pairs]
        known = iter(self._digests.known_same([one for one in asked if one is not None]))
        return [one is not None and next(known) for one in asked]

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
        checksum = self.info(place).checksum
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
        first, second = self.info(source), self.info(target)
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

    def client(self, place: ObjectPlace) -> S3Client:
        """Return the client of the service that holds the object."""
        return self._connections.client(place.address.alias)

    def info(self, place: ObjectPlace) -> ObjectInfo:
        """Ask the service what it knows of the object.

        Raises:
            NotFoundError: there is none.
            NetworkError, DeniedError: the service refused or went away.
        """
        address = place.address
        return self.client(place).head_object(
            address.bucket, address.key, version_id=place.version_id
        )


class PairMover:
    """Moves contents between two trees, by names that both have in common."""

    def __init__(self, copier: Copier, source: Tree, target: Tree) -> None:
        self._copier = copier
        self._source = source
        self._target = target

    def copy(self, source: Entry, advance: Advance) -> None:
        """Write the source's content over there."""
        name = source.name
        if problem := self._target.name_problem(name):
            raise UsageError(f"{self._source.label(name)}: {problem}")
        # The run as a whole makes its files durable, in one go.
        self._copier.copy(
            self._source.place(name), self._target.place(name), source, advance, durable=False
        )

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Tell of pairs of entries of equal size whether they are known to be the same."""
        return self._copier.known_same(pairs)

    def is_same(self, source: Entry, target: Entry) -> bool:
        """Compare the contents of two entries of equal size."""
        return self._copier.is_same(
            self._source.place(source.name), self._target.place(target.name), (source, target)
        )


def _asked(source: Entry, target: Entry) -> tuple[Stamp, str | Stamp] | None:
    """Return a file's looks and what it may be the same as; None where there is no telling."""
    if source.stamp is None:
        return None if target.stamp is None or not source.etag else (target.stamp, source.etag)
    other = target.stamp or target.etag
    return (source.stamp, other) if other else None


@contextmanager
def vanishing(source: FilePlace) -> Iterator[None]:
    """Tell a source that is gone from a bucket that is."""
    try:
        yield
    except FileNotFoundError as error:
        raise VanishedError(f"{source.path} is gone") from error
    except NotFoundError as error:
        if isinstance(error, ServiceError):
            raise
        raise VanishedError(error.message) from error


def told_by_checksums(first: ChecksumValue | None, second: ChecksumValue | None) -> bool | None:
    """Tell whether contents are equal, or None if these checksums leave it open.

    Checksums of parts that differ may come from the same bytes, cut differently.
    """
    if first is None or second is None or first.algorithm != second.algorithm:
        return None
    if first == second:
        return True
    return False if first.type == second.type == FULL_OBJECT else None


def _identity(path: Path, target: ObjectPlace, attributes: Attributes) -> Identity:
    """Return all that must be the same for an upload to be the one that was begun."""
    status = os.stat(path)
    address = target.address
    return {
        "endpoint": address.alias.url,
        "bucket": address.bucket,
        "key": address.key,
        "path": printable(str(path.absolute())),
        "device": status.st_dev,
        "inode": status.st_ino,
        "size_bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "attributes": repr(attributes),
        "encryption": current().encryption.fingerprint(),
        "checksum": current().checksum,
    }
