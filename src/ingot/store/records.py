"""The records of the catalog and their encoding; each begins with its schema version.

Records refer to nothing that refers back, so the garbage collector need not know of them.

Records are msgpack arrays: fields are only ever added, at the end and with a default, and the
schema version rises when the meaning of an old field changes. Those of objects are sealed, see
`seals`; the others carry a checksum. The bytes are specified in
`docs/explanation/on-disk-format.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec

from ingot.s3.crc import crc32c
from ingot.store.blobs.contract import BlobRef
from ingot.store.errors import RecordDamagedError
from ingot.store.locks import Lock

SCHEMA: Final = 1
# No msgpack begins with this byte: a value that does has a checksum, one of before has none.
SUM_MARK: Final = b"\xc1"
_SUM_BYTES: Final = 1 + 4
# What decoding bytes raises that are no record.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, IndexError)

Layout = Literal["inline", "blob", "manifest"]


class Attributes(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a writer says about an object beside its bytes.

    Attributes:
        headers: standard headers that are echoed (lower-case name → value), such as
            `content-type` and `cache-control`.
        metadata: user metadata (lower-case name without `x-amz-meta-` → value).
        tags: by key; they may be changed later.
        storage_class: as S3 calls it; bytes are stored in one way only.
    """

    headers: dict[str, str] = {}
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    storage_class: str = "STANDARD"


NO_ATTRIBUTES: Final = Attributes()


class BucketRecord(msgspec.Struct, frozen=True, array_like=True):
    """A bucket; `bucket_id` names the catalog partition of its objects and is never reused.

    Attributes:
        schema: `SCHEMA`.
        bucket_id: see above.
        created_ns: nanoseconds since the Unix epoch.
        tags: by key.
        settings: documents as they were put, by the name of their sub-resource (`policy`).
    """

    schema: int
    bucket_id: str
    created_ns: int
    tags: dict[str, str] = {}
    settings: dict[str, str] = {}


class ListedRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The leading fields of `ObjectRecord`: what a listing needs, read without the rest.

    Attributes:
        schema: `SCHEMA`.
        version_id: `null` in a bucket without versions.
        delete_marker: the key is deleted; there is no body.
        modified_ns: nanoseconds since the Unix epoch.
        size_bytes: the body's size.
        etag: without quotes.
        checksum_type: `FULL_OBJECT` or `COMPOSITE`; empty when there are no checksums.
        checksums: algorithm name (`CRC32`) → base64 as S3 writes it.
    """

    schema: int
    version_id: str
    delete_marker: bool
    modified_ns: int
    size_bytes: int
    etag: str
    checksum_type: str
    checksums: dict[str, str]


class ObjectRecord(ListedRecord, frozen=True, array_like=True, gc=False):
    """One version of an object.

    Attributes:
        layout: where the bytes are: the record's attachment (`inline`), one blob (`blob`), or
            the blobs of the parts that the attachment lists (`manifest`).
        blob: the blob of the layout `blob`.
        part_count: how many parts the object was uploaded in; 0 for a plain PUT.
        upload_id: the multipart upload that made it, else empty.
        attributes: headers and user metadata.
        lock: what keeps this version, if anything.
    """

    layout: Layout
    blob: BlobRef | None
    part_count: int
    upload_id: str
    attributes: Attributes
    lock: Lock | None = None


class PartRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A part of an upload, and an entry of a manifest.

    Attributes:
        schema: `SCHEMA`.
        number: 1 to 10,000.
        size_bytes: the part's size.
        etag: MD5 in hex.
        modified_ns: when it was uploaded.
        checksums: algorithm name → base64.
        blob: its bytes; `None` for an empty part.
    """

    schema: int
    number: int
    size_bytes: int
    etag: str
    modified_ns: int
    checksums: dict[str, str]
    blob: BlobRef | None


class UploadRecord(msgspec.Struct, frozen=True, array_like=True):
    """A multipart upload in progress.

    Attributes:
        schema: `SCHEMA`.
        upload_id: begins with the time of its initiation, so that ids sort by it.
        initiated_ns: nanoseconds since the Unix epoch.
        checksum_algorithm: what every part is summed with; empty when not asked for.
        checksum_type: `FULL_OBJECT` or `COMPOSITE`; empty without an algorithm.
        attributes: those of the object to be.
        lock: that of the object to be.
    """

    schema: int
    upload_id: str
    initiated_ns: int
    checksum_algorithm: str
    checksum_type: str
    attributes: Attributes
    lock: Lock | None = None


class GarbageRecord(msgspec.Struct, frozen=True, array_like=True):
    """Blobs that no record names any more, to be deleted when their readers had their time."""

    schema: int
    blob_ids: tuple[str, ...]


def _decoder(kind: Any, what: str) -> Callable[[bytes], Any]:
    """Return what reads and verifies records of a kind, or raises `RecordDamagedError`."""
    decode = msgspec.msgpack.Decoder(kind).decode

    def read(value: bytes) -> Any:
        try:
            if value[:1] == SUM_MARK:
                data = value[_SUM_BYTES:]
                if value[1:_SUM_BYTES] != _sum(data):
                    raise RecordDamagedError("", f"the record of {what} has a wrong checksum")
                return decode(data)
            return decode(value)
        except UNREADABLE as error:
            raise RecordDamagedError("", f"the record of {what} cannot be read: {error}") from error

    return read


def encode_summed(record: BucketRecord | UploadRecord | PartRecord | GarbageRecord) -> bytes:
    """Return what the catalog keeps for a record: a mark, its CRC32C, and the record."""
    data = encode(record)
    return SUM_MARK + _sum(data) + data


def _sum(data: bytes) -> bytes:
    return crc32c(data).to_bytes(4, "little")


_encoder = msgspec.msgpack.Encoder()
encode = _encoder.encode
decode_bucket: Callable[[bytes], BucketRecord] = _decoder(BucketRecord, "a bucket")
decode_upload: Callable[[bytes], UploadRecord] = _decoder(UploadRecord, "an upload")
decode_part: Callable[[bytes], PartRecord] = _decoder(PartRecord, "a part")
decode_garbage: Callable[[bytes], GarbageRecord] = _decoder(GarbageRecord, "garbage")
decode_manifest: Callable[[bytes], tuple[PartRecord, ...]] = _decoder(
    tuple[PartRecord, ...], "an object's parts"
)
