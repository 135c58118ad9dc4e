"""Operations of multipart uploads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ingot.base.limits import LIST_KEYS_MAX
from ingot.s3.checksums import (
    ALGORITHM_HEADER,
    COMPOSITE,
    FULL_OBJECT,
    TYPE_HEADER,
    ChecksumValue,
)
from ingot.s3.documents import copy as copy_document
from ingot.s3.documents import multipart as documents
from ingot.s3.documents.common import URL_ENCODING
from ingot.s3.documents.multipart import (
    CompletedPart,
    CompletedUpload,
    Part,
    PartList,
    Upload,
    UploadList,
)
from ingot.s3.etags import is_md5, multipart_etag, unquote_etag
from ingot.s3.headers import VERSION_ID_HEADER
from ingot.s3.ranges import ByteRange, format_range
from ingot.s3client.body import Body, BytesBody, as_body
from ingot.s3client.caller import Call
from ingot.s3client.errors import (
    ServiceConflictError,
    ServiceNotFoundError,
    done_before,
    unless_absent,
)
from ingot.s3client.paging import following
from ingot.s3client.results import (
    Attributes,
    CopySource,
    PartResult,
    WriteConditions,
    checksum_of,
    object_info,
)
from ingot.s3client.storing import Storer

_ANY = WriteConditions()


class StartedUpload(NamedTuple):
    """An upload in the making.

    Attributes:
        upload_id: what the service calls it.
        sums_up: whether the service will keep one checksum over all bytes.
    """

    upload_id: str
    sums_up: bool


class MultipartOperations(Storer):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`."""

    def create_multipart_upload(
        self, bucket: str, key: str, *, attributes: Attributes | None = None
    ) -> StartedUpload:
        """Begin an upload; complete or abort it, or its parts take space for ever."""
        headers = (attributes or Attributes()).headers()
        headers[ALGORITHM_HEADER] = self.algorithm.name
        headers[TYPE_HEADER] = FULL_OBJECT if self.algorithm.combine else COMPOSITE
        call = Call("POST", bucket, key, query=[("uploads", "")], headers=headers)
        created, answer = self.answered(call, documents.parse_created)
        return StartedUpload(created.upload_id, answer.get(TYPE_HEADER) == FULL_OBJECT)

    def upload_part(
        self, bucket: str, key: str, upload_id: str, number: int, body: Body | bytes
    ) -> PartResult:
        """Upload one part: number 1 to 10,000, 5 MiB to 5 GiB (the last may be smaller)."""
        source = as_body(body)
        query = [("partNumber", str(number)), ("uploadId", upload_id)]
        call = Call("PUT", bucket, key, query=query, body=source, checksummed=True)
        answer = self.stored(call)
        etag = unquote_etag(answer.get("etag", ""))
        return PartResult(number, etag, source.size_bytes, checksum_of(answer))

    def upload_part_copy(
        self,
        source: CopySource,
        bucket: str,
        key: str,
        upload_id: str,
        number: int,
        *,
        part: ByteRange,
    ) -> PartResult:
        """Make one part of a stretch of another object of the service."""
        headers = source.headers() | {"x-amz-copy-source-range": format_range(*part)}
        query = [("partNumber", str(number)), ("uploadId", upload_id)]
        call = Call("PUT", bucket, key, query=query, headers=headers)
        made = self.parsed(call, copy_document.parse_part)
        return PartResult(number, made.etag, part.length, made.checksum)

    def complete_multipart_upload(
        self,
        bucket: str,
        key: str,
        upload_id: str,
        parts: Sequence[PartResult],
        *,
        checksum: str | None = None,
        conditions: WriteConditions = _ANY,
    ) -> CompletedUpload:
        """Make the object of its parts.

        Args:
            bucket: where to.
            key: the object's name.
            upload_id: from `create_multipart_upload`.
            parts: in the order of their numbers.
            checksum: of all bytes, for the service to compare.
            conditions: when it may be written.

        Raises:
            ServiceConflictError: a condition does not hold.
            ServiceNotFoundError: there is no such upload.
        """
        headers = conditions.headers()
        if checksum is not None:
            headers[self.algorithm.header] = checksum
            headers[TYPE_HEADER] = FULL_OBJECT
        listed = [CompletedPart(part.number, part.etag, _plain(part.checksum)) for part in parts]
        call = Call(
            "POST",
            bucket,
            key,
            query=[("uploadId", upload_id)],
            headers=headers,
            body=BytesBody(documents.render_complete(listed)),
        )
        try:
            completed, answer = self.answered(call, documents.parse_completed)
        except (ServiceConflictError, ServiceNotFoundError) as error:
            # The first attempt may have made the object, and only its answer was lost.
            made = self._completed_before(call, upload_id, parts) if error.is_repeated else None
            if made is None:
                raise
            return made
        return completed._replace(version_id=answer.get(VERSION_ID_HEADER))

    def _completed_before(
        self, call: Call, upload_id: str, parts: Sequence[PartResult]
    ) -> CompletedUpload | None:
        """Return the object of these parts if it is there, and their upload is not."""
        bucket, key = call.bucket, call.key or ""
        if not all(is_md5(part.etag) for part in parts):
            return None
        head = Call("HEAD", bucket, key)
        info = unless_absent(lambda: object_info(self.finish(head).headers), "NoSuchKey")
        if info is None or info.etag != multipart_etag(bytes.fromhex(p.etag) for p in parts):
            return None
        # Of equal parts others may have made an equal object; what ended our upload is ours.
        left = unless_absent(lambda: self.list_parts(bucket, key, upload_id), "NoSuchUpload")
        if left is not None:
            return None
        url = self.plain_url(bucket, key)
        return CompletedUpload(url, bucket, key, info.etag, info.checksum, info.version_id)

    def abort_multipart_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Give an upload up and free its parts' space.

        Raises:
            ServiceNotFoundError: there is no such upload.
        """
        with done_before("NoSuchUpload"):
            self.finish(Call("DELETE", bucket, key, query=[("uploadId", upload_id)]))

    def list_parts(
        self, bucket: str, key: str, upload_id: str, *, after: int = 0, limit: int = LIST_KEYS_MAX
    ) -> PartList:
        """Return a page of an upload's parts, by number."""
        query = [
            ("uploadId", upload_id),
            ("max-parts", str(limit)),
            ("part-number-marker", str(after)),
        ]
        return self.parsed(Call("GET", bucket, key, query=query), documents.parse_parts)

    def iterate_parts(self, bucket: str, key: str, upload_id: str) -> Iterator[Part]:
        """Yield every part of an upload."""
        after = 0
        while True:
            page = self.list_parts(bucket, key, upload_id, after=after)
            yield from page.parts
            if not page.is_truncated:
                return
            after = following(f"{bucket}/{key}", page.next_part_number_marker, after)

    def list_multipart_uploads(
        self,
        bucket: str,
        *,
        prefix: str = "",
        key_marker: str = "",
        upload_id_marker: str = "",
        limit: int = LIST_KEYS_MAX,
    ) -> UploadList:
        """Return a page of unfinished uploads, by key."""
        query = [
            ("uploads", ""),
            ("encoding-type", URL_ENCODING),
            ("max-uploads", str(limit)),
        ]
        for name, value in (
            ("prefix", prefix),
            ("key-marker", key_marker),
            ("upload-id-marker", upload_id_marker),
        ):
            if value:
                query.append((name, value))
        return self.parsed(Call("GET", bucket, query=query), documents.parse_uploads)

    def iterate_uploads(self, bucket: str, *, prefix: str = "") -> Iterator[Upload]:
        """Yield every unfinished upload under a prefix."""
        key_marker = upload_id_marker = ""
        while True:
            page = self.list_multipart_uploads(
                bucket, prefix=prefix, key_marker=key_marker, upload_id_marker=upload_id_marker
            )
            yield from page.uploads
            if not page.is_truncated:
                return
            key_marker, upload_id_marker = following(
                bucket,
                (page.next_key_marker or "", page.next_upload_id_marker or ""),
                (key_marker, upload_id_marker),
            )


def _plain(checksum: ChecksumValue | None) -> ChecksumValue | None:
    """A part's checksum has no type of its own in the request."""
    return None if checksum is None else checksum._replace(type=None)
