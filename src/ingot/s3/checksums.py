"""The additional checksums of S3: computing, writing, reading and joining them.

Source: Amazon S3 user guide, "Checking object integrity for data uploads".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Literal, NamedTuple, Protocol

from ingot.s3 import crc
from ingot.s3.errors import S3Error

ChecksumType = Literal["COMPOSITE", "FULL_OBJECT"]
COMPOSITE: ChecksumType = "COMPOSITE"
FULL_OBJECT: ChecksumType = "FULL_OBJECT"

TYPE_HEADER = "x-amz-checksum-type"
ALGORITHM_HEADER = "x-amz-checksum-algorithm"
SDK_ALGORITHM_HEADER = "x-amz-sdk-checksum-algorithm"


class Checksum(Protocol):
    """A checksum in the making."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""
        ...

    def digest(self) -> bytes:
        """Return the checksum of all bytes so far (big-endian for CRCs)."""
        ...


class ChecksumValue(NamedTuple):
    """The checksum of an object or part as headers and documents write it.

    Attributes:
        algorithm: `CRC32C` …
        value: base64, with `-N` behind it when composite.
        type: None for a part, whose checksum can only cover all of it.
    """

    algorithm: str
    value: str
    type: ChecksumType | None = None


class Algorithm(NamedTuple):
    """One algorithm.

    Attributes:
        name: as S3 writes it, `CRC64NVME`.
        header: the header or trailer that carries its value.
        digest_bytes: the size of a value.
        new: makes an empty checksum.
        combine: joins the digests of two neighbours, given the length of the second; None where
            the mathematics do not allow it.
        types: how an object in parts may be summed up; the first is the default.
    """

    name: str
    header: str
    digest_bytes: int
    new: Callable[[], Checksum]
    combine: Callable[[bytes, bytes, int], bytes] | None
    types: tuple[ChecksumType, ...]


class _Crc:
    __slots__ = ("_function", "_size_bytes", "_value")

    def __init__(self, function: Callable[[crc.Buffer, int], int], size_bytes: int) -> None:
        self._function = function
        self._size_bytes = size_bytes
        self._value = 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size_bytes, "big")


def _crc(
    name: str,
    size_bytes: int,
    function: Callable[[crc.Buffer, int], int],
    combine: Callable[[int, int, int], int],
    types: tuple[ChecksumType, ...],
) -> Algorithm:
    def join(first: bytes, second: bytes, second_size_bytes: int) -> bytes:
        value = combine(
            int.from_bytes(first, "big"), int.from_bytes(second, "big"), second_size_bytes
        )
        return value.to_bytes(size_bytes, "big")

    return Algorithm(
        name, _header(name), size_bytes, lambda: _Crc(function, size_bytes), join, types
    )


def _header(name: str) -> str:
    return f"x-amz-checksum-{name.lower()}"


def _sha1() -> Checksum:
    return hashlib.sha1(usedforsecurity=False)


_BOTH: tuple[ChecksumType, ...] = (COMPOSITE, FULL_OBJECT)

ALGORITHMS: Mapping[str, Algorithm] = {
    row.name: row
    for row in (
        _crc("CRC32", 4, crc.crc32, crc.combine_crc32, _BOTH),
        _crc("CRC32C", 4, crc.crc32c, crc.combine_crc32c, _BOTH),
        _crc("CRC64NVME", 8, crc.crc64nvme, crc.combine_crc64nvme, (FULL_OBJECT,)),
        Algorithm("SHA1", _header("SHA1"), 20, _sha1, None, (COMPOSITE,)),
        Algorithm("SHA256", _header("SHA256"), 32, hashlib.sha256, None, (COMPOSITE,)),
    )
}
BY_HEADER: Mapping[str, Algorithm] = {row.header: row for row in ALGORITHMS.values()}


def algorithm(name: str) -> Algorithm:
    """Look an algorithm up by its name in any case.

    Raises:
        S3Error: `InvalidRequest` when there is none of that name.
    """
    row = ALGORITHMS.get(name.upper())
    if row is None:
        raise S3Error(
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid"
            f" types: [{', '.join(ALGORITHMS)}]",
        )
    return row


def new(name: str) -> Checksum:
    """Begin a checksum of the named algorithm.

    Raises:
        S3Error: `InvalidRequest` when there is none of that name.
    """
    return algorithm(name).new()


def encode(digest: bytes) -> str:
    """Write a digest as headers and documents carry it."""
    return base64.b64encode(digest).decode("ascii")


def decode(name: str, value: str) -> bytes:
    """Read a value of the named algorithm.

    Raises:
        S3Error: `InvalidRequest` when it is no base64 of the right length.
    """
    row = algorithm(name)
    try:
        digest = binascii.a2b_base64(value, strict_mode=True)
    except ValueError as error:
        raise _invalid(row) from error
    if len(digest) != row.digest_bytes:
        raise _invalid(row)
    return digest


def declared(headers: Mapping[str, str]) -> tuple[Algorithm, str] | None:
    """Find the one checksum value among headers.

    Args:
        headers: by lower-case name.

    Returns:
        The algorithm and the value as written, or None when there is none.

    Raises:
        S3Error: `InvalidRequest` when there are several, or when one is not well-formed.
    """
    found = [row for header, row in BY_HEADER.items() if header in headers]
    if not found:
        return None
    if len(found) > 1:
        raise S3Error(
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    row = found[0]
    decode(row.name, headers[row.header])
    return row, headers[row.header]


def composite(name: str, part_digests: Iterable[bytes]) -> str:
    """Return the checksum of checksums of an object in parts, `base64-N`."""
    digests = list(part_digests)
    total = new(name)
    total.update(b"".join(digests))
    return f"{encode(total.digest())}-{len(digests)}"


def full_object(name: str, parts: Iterable[tuple[bytes, int]]) -> str:
    """Return the checksum of all bytes of an object from its parts' digests and sizes in bytes.

    Raises:
        S3Error: `InvalidRequest` when the algorithm cannot do that.
    """
    row = algorithm(name)
    if row.combine is None:
        raise S3Error(
            "InvalidRequest",
            f"The FULL_OBJECT checksum type cannot be used with the {name.lower()} algorithm.",
        )
    total = bytes(row.digest_bytes)
    for digest, size_bytes in parts:
        total = row.combine(total, digest, size_bytes)
    return encode(total)


def checksum_type(name: str, wanted: str | None) -> ChecksumType:
    """Decide how an object in parts is summed up.

    Raises:
        S3Error: `InvalidRequest` when the algorithm does not go with the wanted type.
    """
    row = algorithm(name)
    if wanted is None:
        return row.types[0]
    for kind in row.types:
        if kind == wanted.upper():
            return kind
    raise S3Error(
        "InvalidRequest",
        f"The {wanted} checksum type cannot be used with the {row.name.lower()} checksum"
        " algorithm.",
    )


def _invalid(row: Algorithm) -> S3Error:
    return S3Error("InvalidRequest", f"Value for {row.header} header is invalid.")
