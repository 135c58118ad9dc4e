"""Which blobs a catalog names: for whoever compares it with the files that are there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ingot.store import keys
from ingot.store.catalog.contract import Catalog
from ingot.store.errors import RecordDamagedError
from ingot.store.records import (
    ObjectRecord,
    decode_garbage,
    decode_manifest,
    decode_part,
)
from ingot.store.seals import decode_object

_ROWS_MAX = 500


def rows(catalog: Catalog, partition: str, space: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values whose keys begin with `space`; not one moment's view."""
    start, stop = space, keys.behind_prefix(space) if space else b""
    while found := catalog.scan(partition, start, stop, limit=_ROWS_MAX):
        yield from found
        start = keys.after(found[-1][0])


def named_blobs(catalog: Catalog) -> Iterator[str]:
    """Yield the id of every blob that a readable record of a catalog at rest names."""
    for partition in filter(keys.is_bucket_partition, catalog.partitions()):
        for space in (keys.OBJECTS, keys.VERSIONS, keys.PARTS, keys.GARBAGE):
            for name, value in rows(catalog, partition, space):
                with contextlib.suppress(RecordDamagedError):
                    yield from _blob_ids(catalog, partition, space, name, value)


def _blob_ids(
    catalog: Catalog, partition: str, space: bytes, name: bytes, value: bytes
) -> Iterator[str]:
    if space == keys.GARBAGE:
        yield from decode_garbage(value).blob_ids
        return
    record = decode_part(value) if space == keys.PARTS else decode_object(value)
    if record.blob is not None:
        yield record.blob.id
    elif isinstance(record, ObjectRecord) and record.layout == "manifest":
        stored = catalog.get_with_attachment(partition, name)
        if stored is not None and stored[1] is not None:
            yield from (part.blob.id for part in decode_manifest(stored[1]) if part.blob)
