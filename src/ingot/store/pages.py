"""Pages of listings: what is shown of objects, uploads and parts."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ingot.store.records import ListedRecord, ObjectRecord, PartRecord, UploadRecord


class ListedObject(msgspec.Struct, frozen=True, gc=False):
    """An object in a listing; of its record what listings show."""

    key: str
    record: ListedRecord
    storage_class: str


class Page(NamedTuple):
    """A page of objects, column by column: that is a third of the work of a thousand of them.

    Attributes:
        keys: the objects' keys, in order.
        records: of each object what listings show.
        storage_classes: that of each object.
        prefixes: the common prefixes, in order.
        truncated: whether more follow.
        next_after: the last entry of the page, key or common prefix; give it as `after` to go on.
    """

    keys: list[str]
    records: list[ListedRecord]
    storage_classes: list[str]
    prefixes: list[str]
    truncated: bool
    next_after: str

    @property
    def objects(self) -> list[ListedObject]:
        """The same, object by object."""
        rows = zip(self.keys, self.records, self.storage_classes, strict=True)
        return [ListedObject(key, record, name) for key, record, name in rows]


class ListedVersion(NamedTuple):
    """A version, an object or a delete marker, in a listing of versions."""

    key: str
    record: ObjectRecord
    is_latest: bool


class VersionsPage(NamedTuple):
    """A page of versions, ordered by key and then from the newest to the oldest.

    Attributes:
        versions: objects and delete markers.
        prefixes: the common prefixes, in order.
        truncated: whether more follow.
        next_key: the key or common prefix of the last entry.
        next_version_id: what goes on behind the last entry; it stays good when that is deleted.
    """

    versions: list[ListedVersion]
    prefixes: list[str]
    truncated: bool
    next_key: str
    next_version_id: str


class ListedUpload(NamedTuple):
    """An upload in a listing."""

    key: str
    record: UploadRecord


class UploadsPage(NamedTuple):
    """A page of uploads, ordered by key and then by time of initiation.

    Attributes:
        uploads: the uploads.
        prefixes: the common prefixes, in order.
        truncated: whether more follow.
        next_key: the key or common prefix of the last entry.
        next_upload_id: the upload of the last entry; empty behind a common prefix.
    """

    uploads: list[ListedUpload]
    prefixes: list[str]
    truncated: bool
    next_key: str
    next_upload_id: str


class PartsPage(NamedTuple):
    """A page of an upload's parts, in order of their numbers."""

    upload: UploadRecord
    parts: list[PartRecord]
    truncated: bool
