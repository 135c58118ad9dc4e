"""Records with a checksum: read as written, else damage; those of before have none."""

from __future__ import annotations

import pytest

from ingot.store.blobs.contract import BlobRef
from ingot.store.errors import RecordDamagedError
from ingot.store.records import (
    NO_ATTRIBUTES,
    SCHEMA,
    BucketRecord,
    GarbageRecord,
    PartRecord,
    UploadRecord,
    decode_bucket,
    decode_garbage,
    decode_part,
    decode_upload,
    encode,
    encode_summed,
)

RECORDS = [
    (decode_bucket, BucketRecord(SCHEMA, "id", 1, {"tag": "value"})),
    (decode_upload, UploadRecord(SCHEMA, "upload", 1, "CRC32", "COMPOSITE", NO_ATTRIBUTES)),
    (decode_part, PartRecord(SCHEMA, 1, 3, "0" * 32, 1, {}, BlobRef("blob", 3, 4))),
    (decode_garbage, GarbageRecord(SCHEMA, ("one", "two"))),
]


@pytest.mark.parametrize(("decode", "record"), RECORDS)
def test_every_flipped_bit_is_found(decode, record):
    value = encode_summed(record)
    assert decode(value) == record
    for offset in range(len(value)):
        for bit in range(8):
            damaged = bytearray(value)
            damaged[offset] ^= 1 << bit
            with pytest.raises(RecordDamagedError):
                decode(bytes(damaged))


@pytest.mark.parametrize(("decode", "record"), RECORDS)
def test_records_of_before_are_read_and_cut_ones_are_damage(decode, record):
    assert decode(encode(record)) == record
    for value in (b"", b"\xc1", b"\xc1123", encode(record)[:-1], encode_summed(record)[:-1]):
        with pytest.raises(RecordDamagedError):
            decode(value)
