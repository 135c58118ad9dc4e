"""A prefix of a bucket as an ordered listing; asks the service page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from ingot.base.errors import Error, NotFoundError
from ingot.client.addresses import RemoteAddress
from ingot.client.ahead import read_ahead
from ingot.client.entries import Entry, Listed, Obstacle, Selection
from ingot.client.localnames import key_problem, tree_name_problem
from ingot.client.places import ObjectPlace, Place
from ingot.s3.documents.delete import ObjectIdentifier
from ingot.s3.documents.listing import Entry as ListEntry
from ingot.s3.documents.listing import ObjectListV2
from ingot.s3client.client import S3Client
from ingot.s3client.listen import BucketEvent


class BucketTree:
    """The objects below a prefix, by name relative to it.

    Args:
        client: the service.
        folder: the bucket and prefix.
        selection: names that do not pass are as if they were not there.
        against_files: the other side is a file tree. Then folder markers (empty objects whose
            name ends with a slash) are as if they were not there, since folders have no entries
            of their own.
        refuse_hostile: list names that cannot be files as failures, instead of as objects.
    """

    is_file_tree = False

    def __init__(
        self,
        client: S3Client,
        folder: RemoteAddress,
        selection: Selection | None = None,
        *,
        against_files: bool = False,
        refuse_hostile: bool = False,
    ) -> None:
        self._client = client
        self._folder = folder
        self._prefix = folder.folder_prefix
        self._selection = selection or Selection()
        self._against_files = against_files
        self._refuse_hostile = refuse_hostile

    def check(self) -> None:
        """Make sure that the bucket is there.

        Raises:
            NotFoundError: it is not.
            DeniedError: these keys may not use it.
        """
        self._client.head_bucket(self._folder.bucket)

    def check_not_missing(self) -> None:
        """Make sure that there is something below the prefix: S3 has no other sign of a folder.

        An empty bucket is there; an empty prefix is not.

        Raises:
            NotFoundError: nothing is there.
        """
        page = self._client.list_objects_v2(self._folder.bucket, prefix=self._prefix, max_keys=1)
        if self._prefix and not page.entries:
            raise NotFoundError(f"there is nothing below {self.label('')}")

    def entries(self, below: str = "") -> Iterator[Listed]:
        """Yield the objects in the service's order, which is that of UTF-8 bytes.

        Args:
            below: only the object of this very name and, unless it ends with a slash, those of the
                folder of this name.

        Raises:
            NotFoundError: there is no such bucket.
            DeniedError, NetworkError: it cannot be listed.
        """
        if not below:
            yield from self._listed(self._prefix)
            return
        # No object has a name that is no key, and whoever asks for one is refused.
        if key_problem(below, self._prefix) or not self._selection.may_hold(below):
            return
        # The first key with this prefix is the object of this very name, if there is one; listing
        # it needs no permission that listing all of them does not need.
        key = self._prefix + below
        page = self._client.list_objects_v2(self._folder.bucket, prefix=key, max_keys=1)
        yield from self._read([found for found in page.entries if found.key == key])
        if not below.endswith("/"):
            yield from self._listed(f"{key}/")

    def lacks(self, name: str) -> bool:
        """Believe the listing: asking for each name again would cost a request each."""
        return True

    def remove(self, entries: Sequence[Entry]) -> dict[str, Error]:
        """Delete objects and return those that failed.

        Raises:
            Error: the service refused all of them or went away.
        """
        keys = {self._prefix + entry.name: entry.name for entry in entries}
        failures = self._client.delete_objects(
            self._folder.bucket, [ObjectIdentifier(key) for key in keys]
        )
        return {
            keys[failure.key]: Error(
                f"{self.label(keys[failure.key])}: {failure.message} ({failure.code})"
            )
            for failure in failures
            if failure.key in keys
        }

    def name_of(self, event: BucketEvent) -> str | None:
        """Return the name of a key below the prefix; None if it does not take part."""
        key = event.key
        name = key.removeprefix(self._prefix)
        if not key.startswith(self._prefix) or not self._selection.may_hold(name):
            return None
        return name

    def events(self, listener: S3Client) -> Iterator[tuple[BucketEvent, ...]]:
        """Yield what happens below the prefix; see `S3Client.listen_bucket_notification`."""
        return listener.listen_bucket_notification(self._folder.bucket, prefix=self._prefix)

    def tidied(self, below: str) -> None:
        """Do nothing: what is stored is whole, and no two names are one."""

    def settle(self) -> None:
        """Do nothing: what a service acknowledged is durable."""

    def label(self, name: str) -> str:
        """Return `alias/bucket/key`."""
        return str(self._folder.at(self._prefix + name))

    def place(self, name: str) -> Place:
        """Return where the object of this name is."""
        return ObjectPlace(self._folder.at(self._prefix + name))

    def name_problem(self, name: str) -> str | None:
        """Say why nothing of this name can be written here, or None."""
        return key_problem(name, self._prefix)

    def _listed(self, prefix: str) -> Iterator[Listed]:
        for page in self._pages(prefix):
            yield from self._read(page.entries)

    def _read(self, listed: Sequence[ListEntry]) -> Iterator[Listed]:
        skipped = len(self._prefix)
        takes_all = self._selection.takes_all and not self._refuse_hostile
        for found in listed:
            name, size_bytes = found.key[skipped:], found.size_bytes
            entry = Entry(
                name, size_bytes, found.modified_ns, found.etag, None, found.storage_class
            )
            # Most are judged at a glance; this is the inside of every listing.
            if takes_all and size_bytes:
                yield entry
            elif (item := self._judged(entry)) is not None:
                yield item

    def _pages(self, prefix: str) -> Iterator[ObjectListV2]:
        pages = self._client.iterate_pages(self._folder.bucket, prefix=prefix)
        first = next(pages)
        yield first
        if first.is_truncated:
            with closing(read_ahead(pages)) as others:
                yield from others

    def _judged(self, entry: Entry) -> Listed | None:
        if not self._selection.admits(entry.name):
            return None
        if not self._against_files:
            return entry
        if entry.size_bytes == 0 and (not entry.name or entry.name.endswith("/")):
            return None
        if self._refuse_hostile and (problem := tree_name_problem(entry.name)):
            return Obstacle(entry.name, f"cannot be a file: {problem}", is_failure=True)
        return entry
