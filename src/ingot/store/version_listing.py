"""Listing versions: the current objects and the older versions, merged in the order of keys."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from ingot.store import keys
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Catalog
from ingot.store.fences import Versioning
from ingot.store.keys import NULL_VERSION
from ingot.store.listing import Row, Walk, position_after, rolls_up, walk
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


class _Entry(NamedTuple):
    """A version or common prefix in order: by key, then the newest first."""

    name: bytes
    place: str
    key: str
    record: ObjectRecord | None


def list_versions(catalog: Catalog, place: BucketPlace, query: VersionsQuery) -> VersionsPage:
    """Return a page of the versions of a bucket's objects."""
    after_place = _resolve_marker(catalog, place.partition, query)
    merged = _merged(catalog, place, query, after_place)
    versions: list[ListedVersion] = []
    prefixes: list[str] = []
    last = _Entry(b"", after_place, query.after_key, None)
    previous: bytes | None = None
    for entry in merged.entries:
        if entry.record is None:
            prefixes.append(entry.key)
        else:
            latest = entry.name != previous and (
                entry.key != query.after_key or _is_latest(catalog, place.partition, entry)
            )
            versions.append(ListedVersion(entry.key, entry.record, latest))
        previous = entry.name
        last = entry
    return VersionsPage(versions, prefixes, merged.truncated, last.key, last.place)


class _Merged(NamedTuple):
    entries: list[_Entry]
    truncated: bool


def _merged(
    catalog: Catalog, place: BucketPlace, query: VersionsQuery, after_place: str
) -> _Merged:
    """Return the entries of a page from both spaces."""
    objects = _walk(catalog, place.partition, keys.OBJECTS, query, after_place)
    older = Walk([], truncated=False)
    while place.rules.versioning is not Versioning.OFF:
        older = _walk(catalog, place.partition, keys.VERSIONS, query, after_place)
        # A version that moved between the two reads might be in neither.
        before, objects = objects, _walk(catalog, place.partition, keys.OBJECTS, query, after_place)
        if before == objects:
            break
    entries: list[_Entry] = []
    in_order = heapq.merge(_entries(objects), _entries(older)) if older.entries else None
    for entry in in_order or _entries(objects):
        if entries and entry[:2] == entries[-1][:2]:
            continue  # a common prefix of both
        if entry.key == query.after_key and entry.record and entry.place <= after_place:
            continue
        entries.append(entry)
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


def _entries(found: Walk) -> Iterator[_Entry]:
    for entry in found.entries:
        if isinstance(entry, Row):
            record = decode_object(entry.value)
            place = keys.version_place(record.version_id, record.modified_ns)
            yield _Entry(entry.key.encode(), place, entry.key, record)
        else:
            yield _Entry(entry.encode(), "", entry, None)


def _is_latest(catalog: Catalog, partition: str, entry: _Entry) -> bool:
    """Tell whether a version is the latest of a key whose newer ones the page may not show."""
    current = catalog.get(partition, keys.object_key(entry.key))
    if current is not None:
        return decode_object(current) == entry.record
    prefix = keys.versions_prefix(entry.key)
    first = catalog.scan(partition, prefix, keys.behind_prefix(prefix), limit=1)
    return bool(first) and first[0][0] == keys.version_key(entry.key, entry.place)


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
