"""Which parts make an object, and which completions are refused."""

from __future__ import annotations

import pytest

from ingot.base.limits import OBJECT_BYTES_MAX, PART_BYTES_MIN
from ingot.store.blobs.contract import BlobRef
from ingot.store.errors import (
    DigestMismatchError,
    InvalidPartError,
    InvalidPartOrderError,
    ObjectTooLargeError,
    PartTooSmallError,
)
from ingot.store.manifest import NOTHING_EXPECTED, CompletedPart, Expected, build_manifest
from ingot.store.records import SCHEMA, Attributes, PartRecord, UploadRecord

CRC = "AAAAAA=="


def upload(algorithm="", kind=""):
    return UploadRecord(SCHEMA, "id", 0, algorithm, kind, Attributes())


def part(number, size_bytes=PART_BYTES_MIN, checksums=None):
    blob = BlobRef(f"blob{number}", size_bytes, 0)
    return PartRecord(SCHEMA, number, size_bytes, f"{number:032x}", 0, checksums or {}, blob)


def build(stored, named, *, of=None, expected=NOTHING_EXPECTED):
    return build_manifest(of or upload(), {item.number: item for item in stored}, named, expected)


def name(item, **changes):
    return CompletedPart(item.number, item.etag)._replace(**changes)


def test_the_named_parts_are_chosen_in_order():
    parts = [part(1), part(5), part(9, 1)]
    manifest = build([*parts, part(7)], [name(item) for item in parts])
    assert manifest.parts == tuple(parts)
    assert manifest.size_bytes == 2 * PART_BYTES_MIN + 1
    assert manifest.etag.endswith("-3")
    assert (manifest.checksums, manifest.checksum_type) == ({}, "")


@pytest.mark.parametrize("numbers", [[], [2, 1], [1, 1]])
def test_numbers_must_ascend(numbers):
    parts = {number: part(number) for number in (1, 2)}
    with pytest.raises(InvalidPartOrderError):
        build(parts.values(), [name(parts[number]) for number in numbers])


def test_a_part_must_be_the_one_that_was_uploaded():
    stored = part(1, checksums={"CRC32": CRC})
    with pytest.raises(InvalidPartError) as raised:
        build([stored], [CompletedPart(2, stored.etag)])
    assert raised.value.part_number == 2
    with pytest.raises(InvalidPartError):
        build([stored], [name(stored, etag="f" * 32)])
    with pytest.raises(InvalidPartError):
        build([stored], [name(stored, checksums={"CRC32": "BBBBBB=="})])
    build([stored], [name(stored, checksums={"CRC32": CRC})])


def test_only_the_last_part_may_be_small():
    small, large = part(1, PART_BYTES_MIN - 1), part(2)
    with pytest.raises(PartTooSmallError) as raised:
        build([small, large], [name(small), name(large)])
    assert raised.value.part_number == 1
    assert raised.value.size_bytes == PART_BYTES_MIN - 1
    build([small], [name(small)])


def test_an_object_has_a_largest_size():
    parts = [part(1, OBJECT_BYTES_MAX), part(2, 1)]
    with pytest.raises(ObjectTooLargeError):
        build(parts, [name(item) for item in parts])


def test_every_part_needs_the_checksum_of_the_upload():
    parts = [part(1, checksums={"CRC32": CRC}), part(2)]
    with pytest.raises(InvalidPartError) as raised:
        build(parts, [name(item) for item in parts], of=upload("CRC32", "FULL_OBJECT"))
    assert raised.value.part_number == 2


def test_what_was_announced_is_checked():
    stored = part(1, 10, {"SHA256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="})
    of = upload("SHA256", "COMPOSITE")
    manifest = build([stored], [name(stored)], of=of)
    value = manifest.checksums["SHA256"]
    assert value.endswith("-1")
    for announced in (value, value.removesuffix("-1")):
        expected = Expected({"SHA256": announced}, 10)
        assert build([stored], [name(stored)], of=of, expected=expected) == manifest
    with pytest.raises(DigestMismatchError):
        build([stored], [name(stored)], of=of, expected=Expected({"SHA256": CRC}))
    with pytest.raises(DigestMismatchError):
        build([stored], [name(stored)], of=of, expected=Expected(size_bytes=11))
