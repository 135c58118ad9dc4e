"""Going on with an upload in parts that a former process began and could not end."""

from __future__ import annotations

import hashlib
from typing import Protocol

from ingot.base.errors import NotFoundError
from ingot.s3.checksums import encode
from ingot.s3.checksums import new as new_checksum
from ingot.s3.chunked import ENCODED_CHUNK_BYTES
from ingot.s3.documents.multipart import Part
from ingot.s3.etags import is_md5
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import FileSource
from ingot.s3client.client import S3Client
from ingot.s3client.multipart import StartedUpload
from ingot.s3client.results import PartResult


class UploadMemory(Protocol):
    """Remembers the upload of one file to one place, beyond the end of the process."""

    def recall(self) -> StartedUpload | None:
        """Return what was noted for this very file, unchanged, if anything was."""
        ...

    def note(self, started: StartedUpload) -> None:
        """Remember an upload that has begun."""
        ...

    def forget(self) -> None:
        """The upload has ended, one way or the other."""
        ...


class Resumption:
    """What the service already has of an upload.

    Args:
        source: the file.
        memory: of its upload.
    """

    def __init__(self, source: FileSource, memory: UploadMemory) -> None:
        self.memory = memory
        self._source = source
        self._stored: dict[int, Part] = {}

    def begun(self, client: S3Client, bucket: str, key: str) -> StartedUpload | None:
        """Return the upload to go on with, or None if there is none any more.

        Raises:
            ServiceError, NetworkError: the service refused or went away.
        """
        started = self.memory.recall()
        if started is None:
            return None
        try:
            parts = client.iterate_parts(bucket, key, started.upload_id)
            self._stored = {part.number: part for part in parts}
        except NotFoundError:
            self.memory.forget()
            return None
        return started

    def stored(self, number: int, part: ByteRange) -> PartResult | None:
        """Return a part that the service has, if it is what the file has there now.

        Raises:
            Error: the file cannot be read.
        """
        known = self._stored.get(number)
        if known is None or known.size_bytes != part.length or not self._has_bytes(known, part):
            return None
        return PartResult(number, known.etag, known.size_bytes, known.checksum)

    def _has_bytes(self, known: Part, part: ByteRange) -> bool:
        checksum = known.checksum
        if checksum is not None:
            total = new_checksum(checksum.algorithm)
            self._feed(part, total.update)
            return encode(total.digest()) == checksum.value
        if is_md5(known.etag):
            md5 = hashlib.md5(usedforsecurity=False)
            self._feed(part, md5.update)
            return md5.hexdigest() == known.etag
        return False

    def _feed(self, part: ByteRange, update: _Update) -> None:
        end = part.start + part.length
        for offset in range(part.start, end, ENCODED_CHUNK_BYTES):
            update(self._source.read(offset, min(ENCODED_CHUNK_BYTES, end - offset)))


class _Update(Protocol):
    def __call__(self, data: bytes, /) -> object: ...
