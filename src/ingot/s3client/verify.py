"""Whether the bytes that arrived are those the service keeps a checksum of."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ingot.base.errors import IntegrityError
from ingot.s3.checksums import FULL_OBJECT, Checksum, algorithm, decode
from ingot.s3.errors import S3Error
from ingot.s3.ranges import ByteRange
from ingot.s3client.results import ObjectInfo


class Verifier:
    """Sums an object's bytes up and compares.

    The checksum over the whole object is used where the service keeps one, else an ETag that is
    the MD5. An object uploaded in parts by a client without checksums has neither: then only its
    size is known, which the transfer itself checks.

    Args:
        info: what the service says of the object.
        subject: `bucket/key` for messages.

    Raises:
        IntegrityError: what it says is no checksum.
    """

    def __init__(self, info: ObjectInfo, subject: str) -> None:
        self._subject = subject
        self._expected: bytes | None = None
        self._name = ""
        self._total: Checksum | None = None
        if info.checksum is not None and info.checksum.type == FULL_OBJECT:
            self._name = info.checksum.algorithm
            try:
                self._expected = decode(self._name, info.checksum.value)
            except S3Error as error:
                raise IntegrityError(
                    f"{subject}: the service tells a {self._name} that is none",
                    hint="something between here and the service may change its answers",
                ) from error
            self._total = algorithm(self._name).new()
        elif info.etag_is_md5:
            self._name = "MD5"
            self._expected = bytes.fromhex(info.etag)
            self._total = hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes | memoryview) -> None:
        """Take the next bytes."""
        if self._total is not None:
            self._total.update(piece)

    def check(self) -> None:
        """Compare what was taken.

        Raises:
            IntegrityError: it is another object.
        """
        if self._total is not None:
            self._compare(self._total.digest())

    @property
    def wants_order(self) -> bool:
        """Whether there is something to compare with, and no way to join what parts have."""
        return self._total is not None and not self._joins

    def part(self) -> Checksum | None:
        """Begin the checksum of one part; None when parts cannot be joined."""
        return algorithm(self._name).new() if self._joins else None

    def check_parts(self, parts: Sequence[tuple[bytes, ByteRange]]) -> None:
        """Compare what the checksums of all parts, in order, join to.

        Raises:
            IntegrityError: it is another object.
        """
        row = algorithm(self._name)
        assert row.combine is not None
        total = bytes(row.digest_bytes)
        for digest, part in parts:
            total = row.combine(total, digest, part.length)
        self._compare(total)

    @property
    def _joins(self) -> bool:
        return self._name not in {"", "MD5"} and algorithm(self._name).combine is not None

    def _compare(self, digest: bytes) -> None:
        if digest != self._expected:
            raise IntegrityError(
                f"{self._subject}: the bytes that arrived do not have the {self._name} that the"
                " service keeps",
                hint="try again; if it stays so, the object is damaged where it is stored",
            )
