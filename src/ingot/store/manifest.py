"""Completing an upload: which parts make the object, and what it is called and summed up as."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ingot.base.limits import OBJECT_BYTES_MAX, PART_BYTES_MIN
from ingot.s3 import checksums
from ingot.s3.etags import multipart_etag
from ingot.store.errors import (
    ChecksumUnknownError,
    DigestMismatchError,
    InvalidPartError,
    InvalidPartOrderError,
    ObjectTooLargeError,
    PartTooSmallError,
)
from ingot.store.records import PartRecord, UploadRecord


class CompletedPart(NamedTuple):
    """A part as the completion names it.

    Attributes:
        number: 1 to 10,000.
        etag: without quotes.
        checksums: algorithm name → base64, as far as they were given.
    """

    number: int
    etag: str
    checksums: Mapping[str, str] = {}


class Expected(NamedTuple):
    """What a completion announces about the whole object.

    Attributes:
        checksums: algorithm name → value as S3 writes it.
        size_bytes: the object's size, `None` when not announced.
        checksum_type: how the object is summed up; empty when not announced.
    """

    checksums: Mapping[str, str] = {}
    size_bytes: int | None = None
    checksum_type: str = ""


NOTHING_EXPECTED = Expected()


class Manifest(NamedTuple):
    """The object that the parts make."""

    parts: tuple[PartRecord, ...]
    size_bytes: int
    etag: str
    checksum_type: str
    checksums: dict[str, str]


def build_manifest(
    upload: UploadRecord,
    stored: Mapping[int, PartRecord],
    named: Sequence[CompletedPart],
    expected: Expected,
) -> Manifest:
    """Choose the named parts among the stored ones and join their digests.

    Raises:
        InvalidPartOrderError: the numbers do not ascend, or no part is named.
        InvalidPartError: a part was not uploaded or differs from what was named.
        PartTooSmallError: a part other than the last has less than `PART_BYTES_MIN`.
        ObjectTooLargeError: the parts add up to more than `OBJECT_BYTES_MAX`.
        ChecksumUnknownError: a checksum or a type is announced that the upload does not have.
        DigestMismatchError: the object is not what was expected.
    """
    parts = _choose(upload.upload_id, stored, named)
    size_bytes = sum(part.size_bytes for part in parts)
    if size_bytes > OBJECT_BYTES_MAX:
        raise ObjectTooLargeError(f"the parts have {size_bytes} bytes together")
    sums = _join_checksums(upload, parts)
    manifest = Manifest(
        parts=parts,
        size_bytes=size_bytes,
        etag=multipart_etag(bytes.fromhex(part.etag) for part in parts),
        checksum_type=upload.checksum_type if sums else "",
        checksums=sums,
    )
    _check_expected(upload, manifest, expected)
    return manifest


def _choose(
    upload_id: str, stored: Mapping[int, PartRecord], named: Sequence[CompletedPart]
) -> tuple[PartRecord, ...]:
    if not named:
        raise InvalidPartOrderError(f"the completion of upload {upload_id} names no parts")
    if any(later.number <= name.number for name, later in itertools.pairwise(named)):
        raise InvalidPartOrderError(f"the parts of upload {upload_id} do not ascend")
    chosen: list[PartRecord] = []
    for name in named:
        part = stored.get(name.number)
        if part is None or part.etag != name.etag:
            raise InvalidPartError(upload_id, name.number, name.etag)
        for algorithm, value in name.checksums.items():
            if part.checksums.get(algorithm) != value:
                raise InvalidPartError(upload_id, name.number, name.etag)
        chosen.append(part)
    for part in chosen[:-1]:
        if part.size_bytes < PART_BYTES_MIN:
            raise PartTooSmallError(part.number, part.size_bytes, part.etag)
    return tuple(chosen)


def _join_checksums(upload: UploadRecord, parts: Sequence[PartRecord]) -> dict[str, str]:
    name = upload.checksum_algorithm
    if not name:
        return {}
    missing = next((part for part in parts if name not in part.checksums), None)
    if missing is not None:
        raise InvalidPartError(upload.upload_id, missing.number, missing.etag)
    digests = [checksums.decode(name, part.checksums[name]) for part in parts]
    if upload.checksum_type == checksums.COMPOSITE:
        return {name: checksums.composite(name, digests)}
    sizes = [part.size_bytes for part in parts]
    return {name: checksums.full_object(name, zip(digests, sizes, strict=True))}


def _check_expected(upload: UploadRecord, manifest: Manifest, expected: Expected) -> None:
    if expected.checksum_type not in {"", upload.checksum_type}:
        raise ChecksumUnknownError(
            f"The upload was created using the {upload.checksum_type or 'default'} checksum mode."
            " The complete request must use the same checksum mode."
        )
    if expected.size_bytes is not None and expected.size_bytes != manifest.size_bytes:
        raise DigestMismatchError("size", str(expected.size_bytes), str(manifest.size_bytes))
    for name, value in expected.checksums.items():
        actual = manifest.checksums.get(name) or _full_object(name, manifest.parts)
        # Clients may leave the number of parts off a composite checksum.
        if value not in (actual, actual.partition("-")[0]):
            raise DigestMismatchError(name, value, actual)


def _full_object(name: str, parts: Sequence[PartRecord]) -> str:
    """Return a checksum that the upload was not created with, if the parts' make it up.

    Raises:
        ChecksumUnknownError: they do not: what was announced cannot be verified.
    """
    if checksums.ALGORITHMS[name].combine is None or any(name not in p.checksums for p in parts):
        raise ChecksumUnknownError(
            f"The upload has no {name} checksum to compare the specified one with."
        )
    digests = [(checksums.decode(name, part.checksums[name]), part.size_bytes) for part in parts]
    return checksums.full_object(name, digests)
