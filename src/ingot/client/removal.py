"""Deletes objects, versions and unfinished uploads, a thousand names a request."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from itertools import islice

from ingot.base.errors import DeniedError, Error, NotFoundError
from ingot.base.limits import DELETE_KEYS_MAX
from ingot.client.addresses import RemoteAddress
from ingot.client.ages import Age
from ingot.client.events import Event, Failed, Removed
from ingot.client.pastlisting import uploads_of
from ingot.client.versions import Chosen
from ingot.s3.documents.delete import DeleteFailure, ObjectIdentifier
from ingot.s3client.client import S3Client


def remove_chosen(
    client: S3Client, items: Iterable[Chosen], *, bypass: bool = False, dry_run: bool = False
) -> Generator[Event]:
    """Delete versions, or what is current, of one bucket, and yield what happened.

    Args:
        client: the service.
        items: what.
        bypass: although a retention in governance mode says that it must stay.
        dry_run: only tell what would be deleted.

    Raises:
        NotFoundError, DeniedError, NetworkError: the listing or a whole request failed.
    """
    waiting = iter(items)
    while batch := list(islice(waiting, DELETE_KEYS_MAX)):
        failed: dict[tuple[str, str | None], DeleteFailure] = {}
        if not dry_run:
            objects = [ObjectIdentifier(item.address.key, item.version_id) for item in batch]
            failures = client.delete_objects(batch[0].address.bucket, objects, bypass=bypass)
            failed = {(failure.key, failure.version_id or None): failure for failure in failures}
        for item in batch:
            failure = failed.get((item.address.key, item.version_id))
            if failure is None:
                yield Removed(str(item.address), item.size_bytes, item.version_id or "")
            else:
                yield Failed(str(item), _error(item, failure))


def remove_uploads(
    client: S3Client, address: RemoteAddress, *, recursive: bool, age: Age, dry_run: bool
) -> Generator[Event]:
    """Give up unfinished uploads at an address, or below it, and yield what happened.

    Raises:
        NotFoundError, DeniedError, NetworkError: the service refused or is away.
    """
    for upload in list(uploads_of(client, address, recursive=recursive)):
        if not age.admits(upload.initiated_ns):
            continue
        label = str(address.at(upload.key))
        if not dry_run:
            try:
                client.abort_multipart_upload(address.bucket, upload.key, upload.upload_id)
            except NotFoundError:
                # It was completed or given up meanwhile.
                continue
            except DeniedError as error:
                yield Failed(label, error)
                continue
        yield Removed(label, 0)


def abort_uploads(client: S3Client, bucket: str) -> None:
    """Give up every unfinished upload of a bucket, whose parts nobody sees but all pay for.

    Raises:
        NotFoundError, DeniedError, NetworkError: the service refused or is away.
    """
    for upload in list(client.iterate_uploads(bucket)):
        # One that was completed or given up meanwhile is what is wanted.
        with suppress(NotFoundError):
            client.abort_multipart_upload(bucket, upload.key, upload.upload_id)


def _error(item: Chosen, failure: DeleteFailure) -> Error:
    message = f"{item}: {failure.message} ({failure.code})"
    return DeniedError(message) if failure.code == "AccessDenied" else Error(message)
