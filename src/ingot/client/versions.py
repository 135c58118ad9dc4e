"""Which versions of which objects a command means: one, the current, those of a moment, or all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby, takewhile

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.addresses import RemoteAddress
from ingot.s3.documents.listing import VersionEntry
from ingot.s3client.client import S3Client


@dataclass(frozen=True, slots=True)
class Choice:
    """Which are meant.

    Attributes:
        recursive: all objects below the address, not only the one of this name.
        version_id: this version; None for the current one.
        every_version: all versions, delete markers too.
        rewind_ns: what was current at this moment, nanoseconds since the epoch.
    """

    recursive: bool = False
    version_id: str | None = None
    every_version: bool = False
    rewind_ns: int | None = None

    def check(self) -> None:
        """Make sure that the options go together.

        Raises:
            UsageError: they do not.
        """
        chosen = [self.version_id is not None, self.every_version, self.rewind_ns is not None]
        if sum(chosen) > 1:
            raise UsageError("--version-id, --versions and --rewind exclude each other")
        if self.version_id is not None and self.recursive:
            raise UsageError("a version belongs to one object: --version-id needs no --recursive")

    @property
    def wants_history(self) -> bool:
        """Whether versions must be listed to find what is meant."""
        return self.every_version or self.rewind_ns is not None


@dataclass(frozen=True, slots=True)
class Chosen:
    """One version that is meant; `version_id` None is whatever is current."""

    address: RemoteAddress
    version_id: str | None = None
    is_delete_marker: bool = False
    size_bytes: int = 0
    modified_ns: int = 0
    is_latest: bool = True

    def __str__(self) -> str:
        return f"{self.address} ({self.version_id})" if self.version_id else str(self.address)


def chosen(client: S3Client, address: RemoteAddress, choice: Choice) -> Iterator[Chosen]:
    """Yield what is meant by an address, by name.

    With `recursive`, an address without a slash at its end is the object of this very name and
    the folder of this name.

    Raises:
        NotFoundError: there is nothing of this kind.
        UsageError: it names no object, and not all below it are meant.
    """
    if not choice.recursive and address.names_folder:
        raise UsageError(f"{address} is a folder", hint="add --recursive")
    if not choice.recursive and not choice.wants_history:
        yield Chosen(address, choice.version_id)
        return
    found = False
    for item in select(client, address, choice):
        found = True
        yield item
    if not found:
        raise NotFoundError(f"there is nothing at {address}")


def select(client: S3Client, address: RemoteAddress, choice: Choice) -> Iterator[Chosen]:
    """Yield what is meant and is there, by name; it asks the service in any case."""
    if choice.wants_history:
        return _history(client, address, choice)
    return _current(client, address, recursive=choice.recursive)


def history(client: S3Client, address: RemoteAddress, *, recursive: bool) -> Iterator[VersionEntry]:
    """Yield all versions of the object of this name, and of those below it if `recursive`."""
    if not address.names_folder:
        # The key itself is the first of those that begin with it.
        yield from takewhile(
            lambda entry: entry.key == address.key,
            client.iterate_versions(address.bucket, prefix=address.key),
        )
    if recursive:
        yield from client.iterate_versions(address.bucket, prefix=address.folder_prefix)


def at_moment(versions: Iterable[VersionEntry], moment_ns: int) -> VersionEntry | None:
    """Return which of one object's versions, newest first, was current; None if it was not there.

    A delete marker is an object that was not there.
    """
    for entry in versions:
        if entry.modified_ns <= moment_ns:
            return None if entry.is_delete_marker else entry
    return None


def by_key(entries: Iterable[VersionEntry]) -> Iterator[list[VersionEntry]]:
    """Yield the versions of each object, newest first."""
    for _, versions in groupby(entries, key=lambda entry: entry.key):
        yield list(versions)


def _history(client: S3Client, address: RemoteAddress, choice: Choice) -> Iterator[Chosen]:
    for versions in by_key(history(client, address, recursive=choice.recursive)):
        if choice.rewind_ns is not None:
            entry = at_moment(versions, choice.rewind_ns)
            kept = [] if entry is None else [entry]
        else:
            kept = versions
        for entry in kept:
            yield Chosen(
                address.at(entry.key),
                entry.version_id,
                entry.is_delete_marker,
                entry.size_bytes,
                entry.modified_ns,
                entry.is_latest,
            )


def _current(client: S3Client, address: RemoteAddress, *, recursive: bool) -> Iterator[Chosen]:
    if not address.names_folder:
        page = client.list_objects_v2(address.bucket, prefix=address.key, max_keys=1)
        for entry in page.entries:
            if entry.key == address.key:
                yield Chosen(address, size_bytes=entry.size_bytes, modified_ns=entry.modified_ns)
    if not recursive:
        return
    for entry in client.iterate_objects(address.bucket, prefix=address.folder_prefix):
        yield Chosen(
            address.at(entry.key), size_bytes=entry.size_bytes, modified_ns=entry.modified_ns
        )
