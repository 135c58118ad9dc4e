"""Deletes what a tree lists, a thousand names a request."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import suppress
from itertools import islice

from ingot.base.errors import NotFoundError
from ingot.base.limits import DELETE_KEYS_MAX
from ingot.client.entries import Entry, Listed
from ingot.client.events import Event, Failed, Removed
from ingot.client.trees import Tree
from ingot.s3client.client import S3Client


def remove_all(tree: Tree, listed: Iterable[Listed], *, dry_run: bool) -> Generator[Event]:
    """Delete `listed` from `tree` and yield what happened.

    Raises:
        NotFoundError, DeniedError, NetworkError: the listing or a whole request failed.
    """
    entries = (item for item in listed if isinstance(item, Entry))
    while batch := list(islice(entries, DELETE_KEYS_MAX)):
        failed = {} if dry_run else tree.remove([entry.name for entry in batch])
        for entry in batch:
            label = tree.label(entry.name)
            if error := failed.get(entry.name):
                yield Failed(label, error)
            else:
                yield Removed(label, entry.size_bytes)


def abort_uploads(client: S3Client, bucket: str) -> None:
    """Give up every unfinished upload of a bucket, whose parts nobody sees but all pay for.

    Raises:
        NotFoundError, DeniedError, NetworkError: the service refused or is away.
    """
    for upload in list(client.iterate_uploads(bucket)):
        # One that was completed or given up meanwhile is what is wanted.
        with suppress(NotFoundError):
            client.abort_multipart_upload(bucket, upload.key, upload.upload_id)
