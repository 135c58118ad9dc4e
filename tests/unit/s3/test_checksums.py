"""Checksums: values everybody knows, joining, and what is refused."""

from __future__ import annotations

import base64
import zlib

import pytest

from ingot.s3.checksums import (
    ALGORITHMS,
    BY_HEADER,
    algorithm,
    checksum_type,
    composite,
    declared,
    decode,
    encode,
    full_object,
    new,
)
from ingot.s3.errors import S3Error

# The check values of the CRC catalogue, and FIPS 180-4's of "abc".
CHECKS = {
    "CRC32": (b"123456789", "cbf43926"),
    "CRC32C": (b"123456789", "e3069283"),
    "CRC64NVME": (b"123456789", "ae8b14860a799888"),
    "SHA1": (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    "SHA256": (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_known_values_in_any_pieces(name: str) -> None:
    data, expected = CHECKS[name]
    total = new(name.lower())
    total.update(data[:2])
    total.update(memoryview(data)[2:])
    assert total.digest().hex() == expected
    assert len(total.digest()) == ALGORITHMS[name].digest_bytes


@pytest.mark.parametrize("name", CHECKS)
def test_values_are_base64_of_the_right_length(name: str) -> None:
    digest = bytes(range(ALGORITHMS[name].digest_bytes))
    assert decode(name, encode(digest)) == digest
    for bad in ("", "äöü", "====", encode(digest + b"x"), encode(digest)[:-1], "!" * 8):
        with pytest.raises(S3Error) as caught:
            decode(name, bad)
        assert caught.value.code == "InvalidRequest"


def test_headers_and_names() -> None:
    assert algorithm("crc64nvme").header == "x-amz-checksum-crc64nvme"
    assert BY_HEADER["x-amz-checksum-sha1"].name == "SHA1"
    with pytest.raises(S3Error, match="valid types"):
        algorithm("MD5")


def test_the_one_declared_value_is_found() -> None:
    value = encode(zlib.crc32(b"x").to_bytes(4, "big"))
    assert declared({"x-amz-date": "x"}) is None
    assert declared({"x-amz-checksum-crc32": value}) == (ALGORITHMS["CRC32"], value)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32": "nonsense"},
        {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-checksum-crc32c": "AAAAAA=="},
    ],
)
def test_declared_values_that_are_wrong(headers: dict[str, str]) -> None:
    with pytest.raises(S3Error) as caught:
        declared(headers)
    assert caught.value.code == "InvalidRequest"


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
def test_parts_join_to_the_whole(name: str) -> None:
    parts = [b"", b"hello ", b"w", b"orld" * 1000, b""]
    whole = new(name)
    whole.update(b"".join(parts))
    digests = []
    for part in parts:
        total = new(name)
        total.update(part)
        digests.append((total.digest(), len(part)))
    assert full_object(name, digests) == encode(whole.digest())


def test_sums_of_sums() -> None:
    digests = [bytes(4), bytes(range(4))]
    expected = base64.b64encode(zlib.crc32(b"".join(digests)).to_bytes(4, "big")).decode() + "-2"
    assert composite("CRC32", digests) == expected


@pytest.mark.parametrize(
    ("name", "wanted", "expected"),
    [
        ("CRC32", None, "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT", "FULL_OBJECT"),
        ("CRC64NVME", None, "FULL_OBJECT"),
        ("SHA256", "composite", "COMPOSITE"),
    ],
)
def test_types(name: str, wanted: str | None, expected: str) -> None:
    assert checksum_type(name, wanted) == expected


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("CRC64NVME", "COMPOSITE"), ("SHA1", "FULL_OBJECT"), ("CRC32", "SOME")],
)
def test_types_that_do_not_go_together(name: str, wanted: str) -> None:
    with pytest.raises(S3Error):
        checksum_type(name, wanted)


def test_hashes_cannot_be_joined() -> None:
    with pytest.raises(S3Error, match="FULL_OBJECT"):
        full_object("SHA256", [(bytes(32), 1)])
