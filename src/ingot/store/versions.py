"""The versions of a key: finding one, and what a commit must do to add or to remove some.

The current object is under `o/KEY`. All other versions are under `v/KEY`, the newest first; a
delete marker is there even while it is the latest, so that listings of objects never meet one.
Hence: an object under `o/KEY` is the latest version, and without one the first version under
`v/KEY`, if there is any, is a delete marker. Every commit checks what it needs to keep that true.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Collection, Container, Iterator
from functools import partial
from typing import NamedTuple

import msgspec

from ingot.store import keys
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Catalog, Check, CommitConflictError, EmptyRange, Put
from ingot.store.errors import RecordDamagedError
from ingot.store.fences import Versioning
from ingot.store.keys import NULL_VERSION
from ingot.store.records import (
    ListedRecord,
    ObjectRecord,
    decode_manifest,
)
from ingot.store.seals import (
    attachment_of,
    decode_listed,
    decode_object,
    open_record,
    seal_object,
)

_log = logging.getLogger(__name__)
_VERSION_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
# How many versions a look behind those that are to go reads at a time.
_ROWS_MAX = 100


class Stored(NamedTuple):
    """A record as the catalog holds it, and what is attached to it."""

    value: bytes
    attachment: bytes | None


class Found(NamedTuple):
    """A record, and under which catalog key it is."""

    catalog_key: bytes
    stored: Stored


class Edit:
    """What one commit is to do to a bucket's partition, gathered step by step.

    Attributes:
        place: the bucket's.
        checks: what must hold.
        released: the blobs that lose their last record.
        unread: whether it replaces and removes objects that nobody looked at.
    """

    __slots__ = ("_deletes", "_puts", "checks", "place", "released", "unread")

    def __init__(self, place: BucketPlace) -> None:
        self.place = place
        self.checks: list[Check | EmptyRange] = [place.fence]
        self.released: list[str] = []
        self.unread = False
        self._puts: dict[bytes, Put] = {}
        self._deletes: dict[bytes, None] = {}

    @property
    def puts(self) -> list[Put]:
        """What is written."""
        return [*self._puts.values()]

    @property
    def deletes(self) -> list[bytes]:
        """The keys that go."""
        return [*self._deletes]

    def put(self, key: bytes, value: bytes, attachment: bytes | None = None) -> None:
        """Write a key, whatever was to happen to it."""
        self._deletes.pop(key, None)
        self._puts[key] = Put(key, value, attachment)

    def delete(self, key: bytes) -> None:
        """Remove a key, whatever was to happen to it."""
        self._puts.pop(key, None)
        self._deletes[key] = None


class Versions:
    """The versions of the keys of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def find(self, partition: str, key: str, version_id: str | None) -> Found | None:
        """Return a version, or with `None` the current object; `None` if there is none."""
        object_key = keys.object_key(key)
        current = self._catalog.get_with_attachment(partition, object_key)
        while True:
            if current is not None and (
                version_id is None or decode_listed(current[0]).version_id == version_id
            ):
                return Found(object_key, Stored(*current))
            if version_id is None:
                return None
            row_key = self._row_key(partition, key, version_id)
            if row_key is not None:
                found = self._catalog.get_with_attachment(partition, row_key)
                if found is not None:
                    return Found(row_key, Stored(*found))
            # It may have moved to where was looked before.
            before, current = current, self._catalog.get_with_attachment(partition, object_key)
            if before == current:
                return None

    def newest(self, partition: str, key: str) -> ListedRecord | None:
        """Return the newest version that is not the current object."""
        row = next(self._rows(partition, key, limit=1), None)
        return None if row is None else decode_listed(row[1])

    def replace(
        self,
        edit: Edit,
        key: str,
        current: Stored | None,
        record: ObjectRecord | None,
        attachment: bytes | None,
    ) -> None:
        """Put `record` in the place of the current object, or nothing: what was there is gone."""
        object_key = keys.object_key(key)
        edit.checks.append(Check(object_key, None if current is None else current.value))
        if current is not None:
            edit.released += self._released(edit.place.partition, object_key, current.value)
        if record is not None:
            edit.put(object_key, seal_object(key, record, attachment), attachment)
        elif current is not None:
            edit.delete(object_key)

    def overwrite(
        self, edit: Edit, key: str, record: ObjectRecord | None, attachment: bytes | None
    ) -> None:
        """Do as `replace`, whatever the current object is; it needs not be read."""
        edit.unread = True
        object_key = keys.object_key(key)
        if record is None:
            edit.delete(object_key)
        else:
            edit.put(object_key, seal_object(key, record, attachment), attachment)

    def add(
        self,
        edit: Edit,
        key: str,
        current: Stored | None,
        record: ObjectRecord,
        attachment: bytes | None,
    ) -> ObjectRecord:
        """Make `record` (an object or a delete marker) the latest version; return it stamped.

        While versioning is suspended it takes the place of the null version.
        """
        object_key = keys.object_key(key)
        suspended = edit.place.rules.versioning is Versioning.SUSPENDED
        edit.checks.append(Check(object_key, None if current is None else current.value))
        old = None if current is None else decode_object(current.value)
        newest_ns = old.modified_ns if old else self._newest_ns(edit, key)
        # Versions are ordered by time: a clock that was set back must not reorder them.
        modified_ns = max(record.modified_ns, newest_ns + 1)
        version_id = NULL_VERSION if suspended else keys.new_version_id(modified_ns)
        record = msgspec.structs.replace(record, version_id=version_id, modified_ns=modified_ns)
        if suspended:
            self._drop_null(edit, key)
        if current is not None and old is not None:
            if suspended and old.version_id == NULL_VERSION:
                edit.released += self._released(edit.place.partition, object_key, current.value)
            else:
                _put_row(edit, key, old, current)
            edit.delete(object_key)
        if record.delete_marker:
            _put_row(edit, key, record, Stored(seal_object(key, record, None), None))
        else:
            edit.put(object_key, seal_object(key, record, attachment), attachment)
        return record

    def remove(self, edit: Edit, key: str, version_ids: Collection[str]) -> dict[str, ObjectRecord]:
        """Remove versions of a key and return those that were there, by id.

        Raises:
            CommitConflictError: others change the key meanwhile; try again.
            RecordDamagedError: a record cannot be read, or not be trusted with its lock.
        """
        partition, object_key = edit.place.partition, keys.object_key(key)
        current = self._catalog.get(partition, object_key)
        # Damage may be removed, but not where it could hide a lock.
        read = partial(open_record, key) if edit.place.rules.lockable else decode_object
        old = None if current is None else read(current)
        rows = self._find_rows(partition, key, version_ids)
        if self._catalog.get(partition, object_key) != current:
            # What was looked for may have moved to where was looked before.
            raise CommitConflictError(f"the versions of {key!r} changed meanwhile")
        edit.checks.append(Check(object_key, current))
        removed: dict[str, ObjectRecord] = {}
        for row_key, value in rows.items():
            record = read(value)
            removed[record.version_id] = record
            edit.checks.append(Check(row_key, value))
            edit.released += self._released(partition, row_key, value)
            edit.delete(row_key)
        if NULL_VERSION in removed:
            edit.delete(keys.null_key(key))
        if current is not None and old is not None:
            if old.version_id in version_ids:
                removed[old.version_id] = old
                edit.released += self._released(partition, object_key, current)
                edit.delete(object_key)
                self._promote(edit, key, rows)
        elif rows:
            self._settle_latest(edit, key, rows)
        return removed

    def blob_ids(self, partition: str, key: bytes, value: bytes) -> list[str]:
        """Return the blobs of an object record, reading its manifest if it has one.

        Raises:
            RecordDamagedError: what the record says cannot be trusted.
        """
        name = keys.name_of(key)
        record = open_record(name, value)
        if record.blob is not None:
            return [record.blob.id]
        if record.layout != "manifest":
            return []
        stored = self._catalog.get_with_attachment(partition, key)
        if stored is None or stored[0] != value or stored[1] is None:
            return []  # changed meanwhile: the commit that asked will not go through
        manifest = decode_manifest(attachment_of(name, value, stored[1]))
        return [part.blob.id for part in manifest if part.blob is not None]

    def _released(self, partition: str, key: bytes, value: bytes) -> list[str]:
        """Return the blobs that lose their record; a damaged one might name those of another."""
        try:
            return self.blob_ids(partition, key, value)
        except RecordDamagedError as error:
            _log.error("store.damaged a record is replaced or removed: %s", error)
            return []

    def _find_rows(
        self, partition: str, key: str, version_ids: Collection[str]
    ) -> dict[bytes, bytes]:
        rows: dict[bytes, bytes] = {}
        for version_id in version_ids:
            row_key = self._row_key(partition, key, version_id)
            value = None if row_key is None else self._catalog.get(partition, row_key)
            if row_key is not None and value is not None:
                rows[row_key] = value
        return rows

    def _row_key(self, partition: str, key: str, version_id: str) -> bytes | None:
        """Return where a version is unless it is the current object; `None` if nowhere."""
        if version_id == NULL_VERSION:
            place = self._catalog.get(partition, keys.null_key(key))
            return None if place is None else keys.version_key(key, place.decode())
        # Ids come from clients: what cannot be one is not looked for.
        return keys.version_key(key, version_id) if _VERSION_ID.fullmatch(version_id) else None

    def _rows(
        self, partition: str, key: str, *, limit: int = _ROWS_MAX
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield the versions that are not the current object, the newest first."""
        start = keys.versions_prefix(key)
        stop = keys.behind_prefix(start)
        while rows := self._catalog.scan(partition, start, stop, limit=limit):
            yield from rows
            start = keys.after(rows[-1][0])

    def _newest_ns(self, edit: Edit, key: str) -> int:
        """Return the time of the newest version of a key without an object, and demand that."""
        prefix = keys.versions_prefix(key)
        row = next(self._rows(edit.place.partition, key, limit=1), None)
        stop = keys.behind_prefix(prefix) if row is None else row[0]
        edit.checks.append(EmptyRange(prefix, stop))
        return 0 if row is None else decode_listed(row[1]).modified_ns

    def _drop_null(self, edit: Edit, key: str) -> None:
        """Remove the null version unless it is the current object."""
        partition = edit.place.partition
        null_key = keys.null_key(key)
        place = self._catalog.get(partition, null_key)
        edit.checks.append(Check(null_key, place))
        if place is not None:
            row_key = keys.version_key(key, place.decode())
            value = self._catalog.get(partition, row_key)
            edit.checks.append(Check(row_key, value))
            if value is not None:
                edit.released += self._released(partition, row_key, value)
            edit.delete(row_key)
            edit.delete(null_key)

    def _settle_latest(self, edit: Edit, key: str, doomed: Container[bytes]) -> None:
        """See to the latest version of a key without an object, of which versions are removed."""
        first = next(self._rows(edit.place.partition, key, limit=1), None)
        if first is None or first[0] in doomed:
            prefix = keys.versions_prefix(key)
            stop = keys.behind_prefix(prefix) if first is None else first[0]
            edit.checks.append(EmptyRange(prefix, stop))
            self._promote(edit, key, doomed)
        else:
            edit.checks.append(Check(*first))

    def _promote(self, edit: Edit, key: str, doomed: Container[bytes]) -> None:
        """Make the newest version that stays the current object, unless it is a delete marker."""
        partition = edit.place.partition
        staying = (row for row in self._rows(partition, key) if row[0] not in doomed)
        row_key, value = next(staying, (b"", b""))
        if not row_key:
            return
        edit.checks.append(Check(row_key, value))
        record = decode_listed(value)
        if record.delete_marker:
            return
        stored = self._catalog.get_with_attachment(partition, row_key)
        if stored is None or stored[0] != value:
            raise CommitConflictError(f"the versions of {key!r} changed meanwhile")
        edit.delete(row_key)
        edit.put(keys.object_key(key), *stored)
        edit.put(keys.PROMOTED, secrets.token_bytes(8))
        if record.version_id == NULL_VERSION:
            edit.delete(keys.null_key(key))


def _put_row(edit: Edit, key: str, record: ObjectRecord, stored: Stored) -> None:
    place = keys.version_place(record.version_id, record.modified_ns)
    edit.put(keys.version_key(key, place), *stored)
    if record.version_id == NULL_VERSION:
        edit.put(keys.null_key(key), place.encode())
