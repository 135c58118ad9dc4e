"""What `ls` shows of an address: buckets, or one level of a bucket, or everything below."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from ingot.base.errors import NotFoundError
from ingot.client.addresses import RemoteAddress
from ingot.client.connections import Connections
from ingot.s3client.client import S3Client


@dataclass(frozen=True, slots=True)
class LineVersion:
    """One version of an object.

    Attributes:
        id: what the service calls it.
        ordinal: its number among those of the object; 1 is the oldest that is still there.
        is_latest: whether it is the current one.
        is_delete_marker: whether it says that the object was deleted.
    """

    id: str
    ordinal: int
    is_latest: bool
    is_delete_marker: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is listed.

    Attributes:
        name: relative to what is listed; folders and buckets end with a slash.
        base: bucket and prefix that the name stands below, empty for a bucket.
        is_folder: a bucket or a common prefix.
        size_bytes: of an object.
        modified_ns: when it was written or created; 0 for a folder, which has no time.
        etag: of an object.
        storage_class: of an object.
        version: which version it is, where versions are listed.
        upload_id: of an upload that is not finished, where those are listed.
    """

    name: str
    base: str = ""
    is_folder: bool = False
    size_bytes: int = 0
    modified_ns: int = 0
    etag: str = ""
    storage_class: str = ""
    version: LineVersion | None = None
    upload_id: str = ""

    @property
    def path(self) -> str:
        """Bucket and key; what follows the alias in an address."""
        return self.base + self.name


def list_address(
    connections: Connections, address: RemoteAddress, *, recursive: bool
) -> Iterator[Line]:
    """Yield what is at `address`, by name.

    An address without a slash at its end names an object, a folder, or both. A folder is whatever
    has keys below it; an empty bucket is there, an empty folder is not.

    Raises:
        NotFoundError: there is no such bucket, and nothing of this name in it.
        DeniedError, NetworkError: the service refused or is away.
    """
    client = connections.client(address.alias)
    if not address.bucket:
        for bucket in client.list_buckets():
            yield Line(f"{bucket.name}/", is_folder=True, modified_ns=bucket.created_ns)
            if recursive:
                inner = RemoteAddress(address.alias, bucket.name)
                yield from _below(client, inner, f"{bucket.name}/", recursive=True)
        return
    found = False
    if not address.names_folder:
        for line in _object_itself(client, address):
            found = True
            yield line
    for line in _below(client, address, "", recursive=recursive):
        found = True
        yield line
    if not found and address.key:
        raise NotFoundError(f"there is nothing at {address}")


def _object_itself(client: S3Client, address: RemoteAddress) -> Iterator[Line]:
    # The first key with this prefix is the object of this very name, if there is one.
    page = client.list_objects_v2(address.bucket, prefix=address.key, max_keys=1)
    for entry in page.entries:
        if entry.key == address.key:
            folder, _, name = address.key.rpartition("/")
            yield Line(
                name,
                base=f"{address.bucket}/{folder}/" if folder else f"{address.bucket}/",
                size_bytes=entry.size_bytes,
                modified_ns=entry.modified_ns,
                etag=entry.etag,
                storage_class=entry.storage_class,
            )


def _below(
    client: S3Client, address: RemoteAddress, before: str, *, recursive: bool
) -> Iterator[Line]:
    prefix = address.folder_prefix
    base = "" if before else f"{address.bucket}/{prefix}"
    delimiter = "" if recursive else "/"
    for page in client.iterate_pages(address.bucket, prefix=prefix, delimiter=delimiter):
        objects = (
            Line(
                before + entry.key[len(prefix) :],
                base=base,
                size_bytes=entry.size_bytes,
                modified_ns=entry.modified_ns,
                etag=entry.etag,
                storage_class=entry.storage_class,
            )
            for entry in page.entries
        )
        folders = (
            Line(before + common[len(prefix) :], base=base, is_folder=True)
            for common in page.common_prefixes
        )
        yield from heapq.merge(objects, folders, key=lambda line: line.name)
