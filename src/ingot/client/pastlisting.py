"""What `ls` shows beside the present: versions, a past moment, uploads that are not finished."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.addresses import RemoteAddress
from ingot.client.connections import Connections
from ingot.client.listing import Line, LineVersion
from ingot.client.versions import at_moment, by_key, history
from ingot.s3.documents.listing import VersionEntry
from ingot.s3.documents.multipart import Upload
from ingot.s3client.client import S3Client


def list_versions(
    connections: Connections,
    address: RemoteAddress,
    *,
    recursive: bool,
    moment_ns: int | None = None,
    every: bool = False,
) -> Iterator[Line]:
    """Yield all versions below an address, or what was there at a moment, by name.

    With `every` a moment ends the time from which all versions are told.

    Folders are found by listing all that is below them, since only that tells what they held.

    Raises:
        UsageError: it names no bucket.
        NotFoundError: it names something in a bucket, and there is, or was, nothing.
        Error: the service refused or is away.
    """
    lines = _versions(connections, address, None if every else moment_ns)
    if every and moment_ns is not None:
        lines = (line for line in lines if line.modified_ns <= moment_ns)
    found = False
    for line in folded(lines, recursive=recursive):
        found = True
        yield line
    if not found and address.key:
        if moment_ns is None:
            raise NotFoundError(f"there is nothing at {address}")
        raise NotFoundError(f"there was nothing at {address} at that moment")


def list_uploads(
    connections: Connections, address: RemoteAddress, *, recursive: bool
) -> Iterator[Line]:
    """Yield unfinished uploads below an address by name, with the sizes of what they have so far.

    Raises:
        UsageError: it names no bucket.
        Error: the service refused or is away.
    """
    yield from folded(_uploads(connections, address), recursive=recursive)


def folded(lines: Iterable[Line], *, recursive: bool) -> Iterator[Line]:
    """Put one folder in place of all lines below it, unless `recursive`."""
    last = ""
    for line in lines:
        folder, slash, _ = line.name.partition("/")
        if recursive or not slash:
            yield line
        elif f"{folder}/" != last:
            last = f"{folder}/"
            yield Line(last, base=line.base, is_folder=True)


def _versions(
    connections: Connections, address: RemoteAddress, moment_ns: int | None
) -> Iterator[Line]:
    client = _client(connections, address)
    for versions in by_key(history(client, address, recursive=True)):
        if moment_ns is not None:
            entry = at_moment(versions, moment_ns)
            if entry is not None:
                yield _line(address, entry, None)
            continue
        for index, entry in enumerate(versions):
            version = LineVersion(
                entry.version_id, len(versions) - index, entry.is_latest, entry.is_delete_marker
            )
            yield _line(address, entry, version)


def _uploads(connections: Connections, address: RemoteAddress) -> Iterator[Line]:
    client = _client(connections, address)
    for upload in uploads_of(client, address, recursive=True):
        parts = client.iterate_parts(address.bucket, upload.key, upload.upload_id)
        name, base = named(address, upload.key)
        yield Line(
            name,
            base=base,
            size_bytes=sum(part.size_bytes for part in parts),
            modified_ns=upload.initiated_ns,
            storage_class=upload.storage_class,
            upload_id=upload.upload_id,
        )


def uploads_of(client: S3Client, address: RemoteAddress, *, recursive: bool) -> Iterator[Upload]:
    """Yield unfinished uploads of the object of this name, and of those below if `recursive`."""
    for upload in client.iterate_uploads(address.bucket, prefix=address.key):
        below = upload.key.startswith(address.folder_prefix)
        if (upload.key == address.key and not address.names_folder) or (recursive and below):
            yield upload


def _line(address: RemoteAddress, entry: VersionEntry, version: LineVersion | None) -> Line:
    name, base = named(address, entry.key)
    return Line(
        name,
        base=base,
        size_bytes=entry.size_bytes,
        modified_ns=entry.modified_ns,
        etag=entry.etag,
        storage_class=entry.storage_class,
        version=version,
    )


def _client(connections: Connections, address: RemoteAddress) -> S3Client:
    if not address.bucket:
        raise UsageError(f"{address} names no bucket", hint="write it like ALIAS/BUCKET[/FOLDER/]")
    return connections.client(address.alias)


def named(address: RemoteAddress, key: str) -> tuple[str, str]:
    """Return what a key is shown as, and what stands before that."""
    if key == address.key and not address.names_folder:
        folder = key[: key.rfind("/") + 1]
    else:
        folder = address.folder_prefix
    return key[len(folder) :], f"{address.bucket}/{folder}"
