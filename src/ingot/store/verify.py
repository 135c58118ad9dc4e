"""Verifying everything in a store while it is used: rows, what is attached to them, blobs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple

from ingot.store import keys
from ingot.store.blobs.contract import BlobRef, Blobs
from ingot.store.catalog.contract import Catalog
from ingot.store.errors import DamagedError, RecordDamagedError
from ingot.store.records import (
    PartRecord,
    decode_bucket,
    decode_garbage,
    decode_manifest,
    decode_part,
    decode_upload,
)
from ingot.store.seals import attachment_of, open_record

_ROWS_MAX = 100
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)
# In order of their keys.
_VERIFIED = (keys.GARBAGE, keys.OBJECTS, keys.PARTS, keys.UPLOADS, keys.VERSIONS)


class Place(NamedTuple):
    """How far somebody came; places are ordered.

    Attributes:
        partition: the partition of a bucket.
        key: a row of it, in bytes of the catalog.
        offset: how many bytes of the row's body are verified.
    """

    partition: str = ""
    key: bytes = b""
    offset: int = 0


BEGINNING = Place()


class Damage(NamedTuple):
    """Something that is not as it was written.

    Attributes:
        bucket: the bucket's name.
        key: the object's key, or the upload's id; empty if a part of the catalog cannot be read.
        version_id: where it is known.
        message: what is wrong.
    """

    bucket: str
    key: str
    version_id: str
    message: str


class Step(NamedTuple):
    """A little progress.

    Attributes:
        place: where to go on.
        size_bytes: how much of a body was read.
        rows: 1 when a row is done.
        damage: what was found.
    """

    place: Place
    size_bytes: int = 0
    rows: int = 0
    damage: Damage | None = None


def verify_all(catalog: Catalog, blobs: Blobs, begin: Place = BEGINNING) -> Iterator[Step]:
    """Read everything from a place on, in small steps; blocking.

    What changes meanwhile is verified as it was or as it is; nothing that was removed or replaced
    is reported.

    Raises:
        StoreFailedError: the catalog cannot be read.
    """
    try:
        for partition in filter(keys.is_bucket_partition, catalog.partitions()):
            if partition < begin.partition or catalog.get(partition, keys.FENCE) is None:
                continue  # behind us, or the rest of a deleted bucket
            here = begin if partition == begin.partition else Place(partition)
            try:
                yield from _verify_partition(catalog, blobs, here)
            except DamagedError as error:
                damage = Damage(_bucket_of(catalog, partition), "", "", error.message)
                yield Step(Place(keys.after(partition.encode()).decode()), damage=damage)
    except DamagedError as error:
        # Not even the list of buckets can be read.
        yield Step(begin, damage=Damage("", "", "", error.message))


def _verify_partition(catalog: Catalog, blobs: Blobs, begin: Place) -> Iterator[Step]:
    partition, offset = begin.partition, begin.offset
    for space in _VERIFIED:
        start, stop = max(space, begin.key), keys.behind_prefix(space)
        while start < stop and (rows := catalog.scan(partition, start, stop, limit=_ROWS_MAX)):
            for key, value in rows:
                first = offset if key == begin.key else 0
                yield from _verify_row(catalog, blobs, Place(partition, key, first), value)
            start = keys.after(rows[-1][0])


def _verify_row(catalog: Catalog, blobs: Blobs, begin: Place, value: bytes) -> Iterator[Step]:
    partition, key, offset = begin
    damage = None
    try:
        for size_bytes in _read_row(catalog, blobs, begin, value):
            offset += size_bytes
            yield Step(Place(partition, key, offset), size_bytes)
    except DamagedError as error:
        # Whoever removes a row lets go of its blobs, and of a deleted bucket all rows go.
        stands = catalog.get(partition, key) == value
        if stands and catalog.get(partition, keys.FENCE) is not None:
            name, version_id = _names(key, value)
            damage = Damage(_bucket_of(catalog, partition), name, version_id, error.message)
    yield Step(Place(partition, keys.after(key)), rows=1, damage=damage)


def _read_row(catalog: Catalog, blobs: Blobs, begin: Place, value: bytes) -> Iterator[int]:
    """Verify a row and read its body from an offset on; yield the sizes of the pieces.

    Raises:
        DamagedError: something is not as it was written.
    """
    offset = begin.offset
    for blob in _blobs_of(catalog, begin.partition, begin.key, value):
        if offset < blob.size_bytes:
            yield from map(len, blobs.read(blob, offset))
        offset = max(0, offset - blob.size_bytes)


def _blobs_of(catalog: Catalog, partition: str, key: bytes, value: bytes) -> list[BlobRef]:
    """Return the blobs that a row names, after verifying the row and what is attached to it."""
    name = keys.name_of(key)
    if key.startswith(keys.PARTS):
        return _existing([decode_part(value)])
    if key.startswith((keys.UPLOADS, keys.GARBAGE)):
        (decode_upload if key.startswith(keys.UPLOADS) else decode_garbage)(value)
        return []
    record = open_record(name, value)
    if record.blob is not None:
        return [record.blob]
    stored = catalog.get_with_attachment(partition, key)
    if stored is None or stored[0] != value:
        return []  # it changed meanwhile
    attached = attachment_of(name, value, stored[1])
    if record.layout == "manifest":
        return _existing(decode_manifest(attached))
    # Records of before have no seal, but most have an MD5.
    if not record.delete_marker and _MD5.fullmatch(record.etag):
        md5 = hashlib.md5(attached, usedforsecurity=False).hexdigest()
        if md5 != record.etag:
            raise RecordDamagedError(name, f"its MD5 is {md5} instead of {record.etag}")
    return []


def _existing(parts: tuple[PartRecord, ...] | list[PartRecord]) -> list[BlobRef]:
    return [part.blob for part in parts if part.blob is not None]


def _names(key: bytes, value: bytes) -> tuple[str, str]:
    """Return what a damaged row is called, as far as it can be told."""
    name = keys.name_of(key)
    if not key.startswith((keys.OBJECTS, keys.VERSIONS)):
        return name, ""
    try:
        return name, open_record(name, value).version_id
    except RecordDamagedError:
        return name, ""


def _bucket_of(catalog: Catalog, partition: str) -> str:
    start = b"\1"
    while rows := catalog.scan(keys.BUCKETS, start, b"", limit=_ROWS_MAX):
        for name, value in rows:
            if keys.bucket_partition(decode_bucket(value).bucket_id) == partition:
                return name.decode()
        start = keys.after(rows[-1][0])
    return partition
