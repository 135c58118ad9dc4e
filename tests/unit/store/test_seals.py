"""Seals: what was written is opened again, anything else is damage, old records are read."""

from __future__ import annotations

import pytest

from ingot.store.blobs.contract import BlobRef
from ingot.store.errors import RecordDamagedError
from ingot.store.locks import Lock
from ingot.store.records import NO_ATTRIBUTES, SCHEMA, Attributes, ObjectRecord, encode
from ingot.store.seals import (
    attachment_of,
    decode_listed,
    decode_object,
    decode_page,
    open_object,
    open_record,
    seal_object,
    storage_classes_of,
)


def a_record(**changes):
    fields = {
        "schema": SCHEMA,
        "version_id": "null",
        "delete_marker": False,
        "modified_ns": 1,
        "size_bytes": 3,
        "etag": "0" * 32,
        "checksum_type": "",
        "checksums": {},
        "layout": "inline",
        "blob": None,
        "part_count": 0,
        "upload_id": "",
        "attributes": NO_ATTRIBUTES,
    }
    return ObjectRecord(**fields | changes)


RECORD = a_record()
SEALED = seal_object("key", RECORD, b"abc")


def test_what_was_sealed_is_opened():
    assert open_object("key", SEALED, b"abc") == RECORD
    assert open_record("key", SEALED) == RECORD
    assert attachment_of("key", SEALED, b"abc") == b"abc"
    assert decode_object(SEALED) == RECORD
    assert decode_listed(SEALED).etag == RECORD.etag


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_found(bit):
    for offset in range(len(SEALED)):
        damaged = bytearray(SEALED)
        damaged[offset] ^= 1 << bit
        with pytest.raises(RecordDamagedError):
            open_object("key", bytes(damaged), b"abc")


@pytest.mark.parametrize("value", [b"", b"\xc1", SEALED[:8], SEALED[:9], SEALED[:-1]])
def test_a_cut_record_is_damage(value):
    for opened in (open_record, lambda _, cut: decode_object(cut)):
        with pytest.raises(RecordDamagedError):
            opened("key", value)
    with pytest.raises(RecordDamagedError):
        decode_listed(value[:9])


def test_a_page_of_records_is_read_as_each_of_them_is():
    bare = a_record(etag="1" * 32, attributes=Attributes(storage_class="GLACIER"))
    locked = a_record(lock=Lock("GOVERNANCE", 5, hold=True))
    records = [RECORD, bare, locked]
    sealed = [seal_object("key", record, None) for record in records]
    for values in (sealed, [encode(RECORD), *sealed[1:]], []):
        read = decode_page(["key"] * len(values), values)
        assert read == [decode_listed(value) for value in values]
        assert [record.etag for record in read] == [record.etag for record in records][: len(read)]
        assert storage_classes_of(values) == ["STANDARD", "GLACIER", "STANDARD"][: len(values)]


@pytest.mark.parametrize("cut", [0, 1, 9, 20, len(SEALED) - 100])
def test_a_damaged_record_of_a_page_is_named(cut):
    with pytest.raises(RecordDamagedError, match="'second'"):
        decode_page(["first", "second", "third"], [SEALED, SEALED[:cut], SEALED])


def test_text_that_is_no_text_is_damage():
    at = SEALED.index(b"null")
    damaged = SEALED[:at] + b"\xff" + SEALED[at + 1 :]
    for decode in (decode_object, decode_listed):
        with pytest.raises(RecordDamagedError):
            decode(damaged)


def test_another_key_or_attachment_is_damage():
    with pytest.raises(RecordDamagedError, match="'kez'"):
        open_object("kez", SEALED, b"abc")
    for other in (None, b"", b"abd"):
        with pytest.raises(RecordDamagedError, match="attached"):
            open_object("key", SEALED, other)
    assert open_record("key", SEALED) == RECORD  # without a look at the attachment


def test_no_attachment_is_an_empty_one():
    record = a_record(size_bytes=0)
    for written in (None, b""):
        for found in (None, b""):
            assert open_object("key", seal_object("key", record, written), found) == record


def test_records_of_before_have_no_seal():
    record = a_record(layout="blob", blob=BlobRef("0" * 12 + "." + "0" * 10, 3, 4))
    assert open_object("any", encode(record), None) == record
    with pytest.raises(RecordDamagedError):
        open_object("any", encode(record)[:-1], None)
