"""Copies one content from place to place, and by names that two trees have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ingot.base.errors import UsageError
from ingot.base.limits import COPY_BYTES_MAX
from ingot.base.units import KIB
from ingot.client.addresses import RemoteAddress
from ingot.client.attributes import FileAttributes
from ingot.client.beneath import open_file
from ingot.client.comparison import Comparison, vanishing
from ingot.client.connections import Connections
from ingot.client.crew import Advance, VanishedError
from ingot.client.digests import ContentDigests
from ingot.client.entries import Entry, Stamp
from ingot.client.fileattributes import attributes_of_file, restore
from ingot.client.filecopy import Keeping, copy_file, prepared_path
from ingot.client.given import Given, content_headers_of
from ingot.client.journal import Identity, Journal
from ingot.client.localnames import printable
from ingot.client.places import FilePlace, ObjectPlace, Place
from ingot.client.trees import Tree
from ingot.client.wire import current
from ingot.s3client.client import S3Client
from ingot.s3client.errors import ServiceNotFoundError
from ingot.s3client.results import Attributes, ObjectInfo
from ingot.s3client.transfer import attributes_of

# So much fits what the kernel holds of a connection: nobody waits for who reads its answer later.
_BRIEF_BYTES_MAX = 128 * KIB


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
        self._comparison = Comparison(connections, digests)

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
        replaces: bool = True,
    ) -> None:
        """Write the content at `source` to `target`, whole or not at all.

        Args:
            source: where it is.
            target: where it goes.
            entry: what the listing said of the source.
            advance: told of bytes as they move; may raise to stop.
            durable: whether a file is on the device when this returns; if not, the caller sees to
                it for all of them.
            replaces: whether a file takes the place of what has its name; objects always do.

        Raises:
            ConflictError: there is a file that is not to be replaced.
            VanishedError: the source is gone.
            SourceChangedError: the source changed while it was read.
            Error: anything else.
        """
        self.begin(source, target, entry, advance, durable=durable, replaces=replaces)()

    def begin(
        self,
        source: Place,
        target: Place,
        entry: Entry,
        advance: Advance,
        *,
        durable: bool = True,
        replaces: bool = True,
    ) -> Callable[[], None]:
        """Send what is small, or the request for it; what is returned does the rest of `copy`.

        It must be called, and raises what `copy` raises, as this does. Until then
        others may be begun.
        """
        if isinstance(source, FilePlace):
            if isinstance(target, FilePlace):
                keeping = Keeping(self._keep_times, durable, replaces)
                return partial(self._copy_file, source, target, keeping, advance)
            return self._upload(source, target, advance)
        if isinstance(target, FilePlace):
            return self._download(
                source, target, entry, advance, durable=durable, replaces=replaces
            )
        return partial(self._copy_object, source, target, entry, advance)

    @property
    def comparison(self) -> Comparison:
        """What tells whether contents are the same."""
        return self._comparison

    def _upload(
        self, source: FilePlace, target: ObjectPlace, advance: Advance
    ) -> Callable[[], None]:
        address, path = target.address, source.path
        transfers = self._connections.transfers(address.alias)
        with vanishing(source), _opened(source) as descriptor:
            status = os.fstat(descriptor)
            metadata = attributes_of_file(status).metadata() if self._keep_times else {}
            attributes = self._given.over(Attributes(content_headers_of(source.name), metadata))
            stamp = Stamp.of(status)
            upload = partial(
                transfers.begin_upload_file,
                path,
                address.bucket,
                address.key,
                attributes=attributes,
                advance=advance,
            )
            if self._journal and transfers.splits(stamp.size_bytes):
                identity = _identity(path, status, target, attributes)
                with self._journal.entry(identity) as memory:
                    made = upload(descriptor=descriptor, memory=memory)()
                # What the service calls these bytes it will call them in listings too.
                return partial(self._digests.note, path, stamp, made.etag)
            stored = upload(descriptor=descriptor)

        def finish() -> None:
            with vanishing(source):
                made = stored()
            self._digests.note(path, stamp, made.etag)

        return finish

    def _download(
        self,
        source: ObjectPlace,
        target: FilePlace,
        entry: Entry,
        advance: Advance,
        *,
        durable: bool,
        replaces: bool,
    ) -> Callable[[], None]:
        address = source.address
        path = prepared_path(target, replaces=replaces)

        def finish(descriptor: int, info: ObjectInfo) -> None:
            # Before the file has its name: what only its owner may read is never anyone's.
            restore(descriptor, FileAttributes.parse(info.metadata), name=Path(path))

        fetch = self._connections.transfers(address.alias).begin_download_file(
            address.bucket,
            address.key,
            path,
            size_bytes=entry.size_bytes,
            version_id=source.version_id,
            durable=durable,
            advance=advance,
            finish=finish if self._keep_times else None,
            replaces=replaces,
        )

        def rest() -> None:
            fetch()

        return rest

    def _copy_file(
        self, source: FilePlace, target: FilePlace, keeping: Keeping, advance: Advance
    ) -> None:
        path = prepared_path(target, replaces=keeping.replaces)
        with vanishing(source):
            copy_file(source, Path(path), keeping, advance)

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


@contextmanager
def _opened(source: FilePlace) -> Iterator[int]:
    descriptor = open_file(source)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class PairMover:
    """Moves contents between two trees, by names that both have in common."""

    def __init__(self, copier: Copier, source: Tree, target: Tree) -> None:
        self._copier = copier
        self._source = source
        self._target = target

    def is_brief(self, source: Entry) -> bool:
        """Tell whether a copy is a small message and an answer."""
        crosses = self._source.is_file_tree != self._target.is_file_tree
        return crosses and source.size_bytes <= _BRIEF_BYTES_MAX

    def begin_copy(self, source: Entry, advance: Advance, *, replaces: bool) -> Callable[[], None]:
        """Send what is small, or the request for it; what is returned does the rest of `copy`."""
        name = source.name
        if problem := self._target.name_problem(name):
            raise UsageError(f"{self._source.label(name)}: {problem}")
        # The run as a whole makes its files durable, in one go.
        finish = self._copier.begin(
            self._source.place(name),
            self._target.place(name),
            source,
            advance,
            durable=False,
            replaces=replaces,
        )
        return partial(self._finish, name, finish)

    def _finish(self, name: str, finish: Callable[[], None]) -> None:
        try:
            finish()
        except ServiceNotFoundError as error:
            # Keys are what is read; what is written has a bucket that may be missing.
            if error.code != "NoSuchKey":
                raise
            raise VanishedError(f"{self._source.label(name)} is gone") from error

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Tell of pairs of entries of equal size whether they are known to be the same."""
        return self._copier.comparison.known_same(pairs)

    def is_same(self, source: Entry, target: Entry) -> bool:
        """Compare the contents of two entries of equal size."""
        return self._copier.comparison.is_same(
            self._source.place(source.name), self._target.place(target.name), (source, target)
        )


def _identity(
    path: Path, status: os.stat_result, target: ObjectPlace, attributes: Attributes
) -> Identity:
    """Return all that must be the same for an upload to be the one that was begun."""
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
