"""Listing versions: the current objects and the older versions, merged in the order of keys."""

from __future__ import annotations

from operator import itemgetter
from typing import Final, NamedTuple

from ingot.store import keys
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Catalog
from ingot.store.fences import Versioning
from ingot.store.keys import NULL_VERSION
from ingot.store.listing import Walk, position_after, rolls_up, walk
from ingot.store.pages import ListedVersion, VersionsPage
from ingot.store.records import ObjectRecord
from ingot.store.seals import decode_listed, decode_object


class VersionsQuery(NamedTuple):
    """What a listing of versions asks for; see `Objects.list_versions`."""

    prefix: str
    delimiter: str
    after_key: str
    after_version_id: str
    limit: int


# A version (or a common prefix, without a record): key, place and record. Keys are ordered by
# code points, which is the order of their UTF-8; of one key the newest is first.
_Entry = tuple[str, str, ObjectRecord | None]
_ORDER: Final = itemgetter(0, 1)


def list_versions(catalog: Catalog, place: BucketPlace, query: VersionsQuery) -> VersionsPage:
    """Return a page of the versions of a bucket's objects."""
    after_place = _resolve_marker(catalog, place.partition, query)
    merged = _merged(catalog, place, query, after_place)
    versions: list[ListedVersion] = []
    prefixes: list[str] = []
    last_key, last_place = query.after_key, after_place
    previous: str | None = None
    for key, version_place, record in merged.entries:
        if record is None:
            prefixes.append(key)
        else:
            latest = key != previous and (
                key != query.after_key
                or _is_latest(catalog, place.partition, key, version_place, record)
            )
            versions.append(ListedVersion(key, record, latest))
        previous = last_key = key
        last_place = version_place
    return VersionsPage(versions, prefixes, merged.truncated, last_key, last_place)


class _Merged(NamedTuple):
    entries: list[_Entry]
    truncated: bool


def _merged(
    catalog: Catalog, place: BucketPlace, query: VersionsQuery, after_place: str
) -> _Merged:
    """Return the entries of a page from both spaces."""
    objects = _walk(catalog, place.partition, keys.OBJECTS, query, after_place)
    older = Walk([], [], truncated=False)
    while place.rules.versioning is not Versioning.OFF:
        older = _walk(catalog, place.partition, keys.VERSIONS, query, after_place)
        # A version that moved between the two reads might be in neither.
        before, objects = objects, _walk(catalog, place.partition, keys.OBJECTS, query, after_place)
        if before == objects:
            break
    entries = _entries(objects)
    if older.rows or older.prefixes:
        entries = sorted(entries + _entries(older), key=_ORDER)
        # A common prefix may be one of both.
        entries = [
            entry
            for entry, before in zip(entries, [None, *entries[:-1]], strict=True)
            if before is None or entry[:2] != before[:2]
        ]
    if query.after_key:
        entries = [
            entry
            for entry in entries
            if entry[0] != query.after_key or entry[2] is None or entry[1] > after_place
        ]
    truncated = objects.truncated or older.truncated or len(entries) > query.limit
    return _Merged(entries[: query.limit], truncated)


def _walk(
    catalog: Catalog, partition: str, space: bytes, query: VersionsQuery, after_place: str
) -> Walk:
    key = query.after_key
    limit = query.limit
    position = b""
    if key and (not after_place or rolls_up(key, query.prefix, query.delimiter)):
        position = position_after(space, key, query.prefix, query.delimiter)
    elif key and space == keys.OBJECTS:
        # The object of the marker's key is read too, in case it is older than the marker.
        position = keys.object_key(key)
        limit = limit and limit + 1
    elif key:
        position = keys.after(keys.version_key(key, after_place))
    return walk(
        catalog,
        partition,
        space,
        prefix=query.prefix,
        delimiter=query.delimiter,
        position=position,
        limit=limit,
    )


def _entries(found: Walk) -> list[_Entry]:
    names, values = found.columns()
    records = [decode_object(value) for value in values]
    entries: list[_Entry] = [
        (name, keys.version_place(record.version_id, record.modified_ns), record)
        for name, record in zip(names, records, strict=True)
    ]
    if found.prefixes:
        entries = sorted(entries + [(name, "", None) for name in found.prefix_names()], key=_ORDER)
    return entries


def _is_latest(
    catalog: Catalog, partition: str, key: str, version_place: str, record: ObjectRecord
) -> bool:
    """Tell whether a version is the latest of a key whose newer ones the page may not show."""
    current = catalog.get(partition, keys.object_key(key))
    if current is not None:
        return decode_object(current) == record
    prefix = keys.versions_prefix(key)
    first = catalog.scan(partition, prefix, keys.behind_prefix(prefix), limit=1)
    return bool(first) and first[0][0] == keys.version_key(key, version_place)


def _resolve_marker(catalog: Catalog, partition: str, query: VersionsQuery) -> str:
    """Return the place of the marker's version; empty to go on behind all of its key."""
    if query.after_version_id != NULL_VERSION:
        return query.after_version_id
    current = catalog.get(partition, keys.object_key(query.after_key))
    if current is not None:
        record = decode_listed(current)
        if record.version_id == NULL_VERSION:
            return keys.version_place(NULL_VERSION, record.modified_ns)
    return (catalog.get(partition, keys.null_key(query.after_key)) or b"").decode()
