"""Operations on objects."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence

from ingot.base.errors import NetworkError
from ingot.base.limits import DELETE_KEYS_MAX
from ingot.s3 import xml
from ingot.s3.documents import copy as copy_document
from ingot.s3.documents import delete as delete_document
from ingot.s3.documents.copy import CopyResult
from ingot.s3.documents.delete import (
    DeleteFailure,
    DeleteRequest,
    DeleteResult,
    ObjectIdentifier,
)
from ingot.s3.documents.error import ErrorDocument
from ingot.s3.errors import ERRORS
from ingot.s3.etags import unquote_etag
from ingot.s3.headers import VERSION_ID_HEADER
from ingot.s3.ranges import ByteRange, format_range, parse_content_range
from ingot.s3.tags import TAGGING_DIRECTIVE_HEADER
from ingot.s3client.body import Body, BytesBody, as_body
from ingot.s3client.caller import Call
from ingot.s3client.errors import ServiceError, service_error
from ingot.s3client.results import (
    Attributes,
    CopySource,
    ObjectInfo,
    ObjectStream,
    PutResult,
    WriteConditions,
    checksum_of,
    object_info,
)
from ingot.s3client.storing import Storer
from ingot.transport.pool import Response

_CHECKSUM_MODE = {"x-amz-checksum-mode": "ENABLED"}
BYPASS_HEADER = "x-amz-bypass-governance-retention"
_BYPASS = {BYPASS_HEADER: "true"}
_ANY = WriteConditions()


class ObjectOperations(Storer):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`."""

    def put_object(
        self,
        bucket: str,
        key: str,
        body: Body | bytes,
        *,
        attributes: Attributes | None = None,
        conditions: WriteConditions = _ANY,
    ) -> PutResult:
        """Store up to 5 GiB under a key; a CRC32C goes with them and the service checks it.

        Raises:
            ServiceConflictError: a condition does not hold.
            IntegrityError: the service tells another checksum than that of what was sent.
        """
        return self.begin_put_object(
            bucket, key, body, attributes=attributes, conditions=conditions
        )()

    def begin_put_object(
        self,
        bucket: str,
        key: str,
        body: Body | bytes,
        *,
        attributes: Attributes | None = None,
        conditions: WriteConditions = _ANY,
    ) -> Callable[[], PutResult]:
        """Send an object; what is returned waits for the answer as `put_object` does.

        It must be called. Until then others may be begun: one thread can have
        many small objects on their way.
        """
        source = as_body(body)
        headers = (attributes or Attributes()).headers() | conditions.headers()
        call = Call("PUT", bucket, key, headers=headers, body=source, checksummed=True)
        receive = self.begin_stored(call)

        def stored() -> PutResult:
            answer = receive()
            return PutResult(
                unquote_etag(answer.get("etag", "")),
                source.size_bytes,
                checksum_of(answer),
                answer.get(VERSION_ID_HEADER),
            )

        return stored

    def get_object(
        self,
        bucket: str,
        key: str,
        *,
        part: ByteRange | None = None,
        if_match: str | None = None,
        version_id: str | None = None,
        part_number: int | None = None,
    ) -> ObjectStream:
        """Open an object, or a part of it, for reading; close it after.

        Args:
            bucket: where it is.
            key: its name.
            part: which bytes; None for all.
            if_match: fail unless the object has this ETag.
            version_id: None for the current version.
            part_number: of the upload that made it; None for all of it.

        Raises:
            ServiceNotFoundError: there is no such object.
            ServiceConflictError: the ETag is another.
        """
        return self.begin_get_object(
            bucket,
            key,
            part=part,
            if_match=if_match,
            version_id=version_id,
            part_number=part_number,
        )()

    def begin_get_object(
        self,
        bucket: str,
        key: str,
        *,
        part: ByteRange | None = None,
        if_match: str | None = None,
        version_id: str | None = None,
        part_number: int | None = None,
    ) -> Callable[[], ObjectStream]:
        """Ask for an object; what is returned waits for the answer as `get_object` does.

        It must be called. Until then others may be begun: one thread can have
        many small objects on their way.
        """
        headers = dict(_CHECKSUM_MODE)
        if part is not None:
            headers["range"] = format_range(part.start, part.length)
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        query = _version_query(version_id)
        if part_number is not None:
            query.append(("partNumber", str(part_number)))
        call = Call("GET", bucket, key, query=query, headers=headers)
        receive = self.begin(call)

        def opened() -> ObjectStream:
            _, response = receive()
            if part_number is None and not _is_wanted(response, part):
                response.close()
                raise NetworkError(f"{call.subject}: the service answered with another range")
            return ObjectStream(response, call.subject)

        return opened

    def head_object(self, bucket: str, key: str, *, version_id: str | None = None) -> ObjectInfo:
        """Return what is known of an object.

        Raises:
            ServiceNotFoundError: there is no such object.
        """
        query = _version_query(version_id)
        call = Call("HEAD", bucket, key, query=query, headers=_CHECKSUM_MODE)
        return object_info(self.finish(call).headers)

    def delete_object(
        self,
        bucket: str,
        key: str,
        *,
        version_id: str | None = None,
        if_match: str | None = None,
        bypass: bool = False,
    ) -> None:
        """Remove an object; it is no error if there is none.

        Args:
            bucket: where it is.
            key: its name.
            version_id: None for the current version.
            if_match: fail unless the object has this ETag (older services remove it anyway).
            bypass: although its retention, in governance mode, says that it must stay.

        Raises:
            ServiceConflictError: the ETag is another.
        """
        headers = dict(_BYPASS) if bypass else {}
        if if_match is not None:
            headers["if-match"] = f'"{if_match}"'
        query = _version_query(version_id)
        self.finish(Call("DELETE", bucket, key, query=query, headers=headers))

    def delete_objects(
        self, bucket: str, objects: Sequence[ObjectIdentifier], *, bypass: bool = False
    ) -> list[DeleteFailure]:
        """Remove any number of objects, 1,000 a request; return those that could not be.

        Args:
            bucket: where they are.
            objects: their names, and versions.
            bypass: as `delete_object` has it.
        """
        failures: list[DeleteFailure] = []
        batchable = [item for item in objects if xml.expressible(item.key)]
        for start in range(0, len(batchable), DELETE_KEYS_MAX):
            failures += self._delete_batch(
                bucket, batchable[start : start + DELETE_KEYS_MAX], bypass=bypass
            )
        # XML cannot carry these keys, a path can.
        singles = (item for item in objects if not xml.expressible(item.key))
        failures += self._delete_singly(bucket, singles, bypass=bypass)
        return failures

    def copy_object(
        self,
        source_bucket: str,
        source_key: str,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        if_match: str | None = None,
        source_version_id: str | None = None,
    ) -> CopyResult:
        """Copy up to 5 GiB within the service.

        Args:
            source_bucket: where from.
            source_key: what.
            bucket: where to.
            key: the new name, which may be the old one if the attributes change.
            attributes: replace those of the source; None keeps them.
            if_match: fail unless the source has this ETag.
            source_version_id: None for the current version.
        """
        source = CopySource(source_bucket, source_key, if_match, source_version_id)
        headers = source.headers()
        if attributes is not None:
            headers |= attributes.headers() | {"x-amz-metadata-directive": "REPLACE"}
            if attributes.tags is not None:
                headers[TAGGING_DIRECTIVE_HEADER] = "REPLACE"
        call = Call("PUT", bucket, key, headers=headers)
        copied, answer = self.answered(call, copy_document.parse)
        return copied._replace(version_id=answer.get(VERSION_ID_HEADER))

    def _delete_batch(
        self, bucket: str, objects: Sequence[ObjectIdentifier], *, bypass: bool
    ) -> Sequence[DeleteFailure]:
        data = delete_document.render_request(DeleteRequest(objects, quiet=True))
        # Services that are older than x-amz-checksum-… insist on this one.
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
        call = Call(
            "POST",
            bucket,
            query=[("delete", "")],
            headers={
                "content-md5": base64.b64encode(md5).decode("ascii"),
                "content-type": "application/xml",
                **(_BYPASS if bypass else {}),
            },
            body=BytesBody(data),
            checksummed=True,
        )
        result: DeleteResult = self.parsed(call, delete_document.parse_result)
        return [_attributed(failure, objects, bucket) for failure in result.errors]

    def _delete_singly(
        self, bucket: str, objects: Iterable[ObjectIdentifier], *, bypass: bool
    ) -> list[DeleteFailure]:
        failures = []
        for item in objects:
            try:
                self.delete_object(bucket, item.key, version_id=item.version_id, bypass=bypass)
            except ServiceError as error:
                failures.append(DeleteFailure(item.key, error.code, error.message, item.version_id))
        return failures


def _attributed(
    failure: DeleteFailure, objects: Sequence[ObjectIdentifier], bucket: str
) -> DeleteFailure:
    """Name a failure as the request named the object; services write versions as they like.

    Raises:
        ServiceError: it is about none of them, so all may have failed.
    """
    asked = [item.version_id for item in objects if item.key == failure.key]
    if failure.version_id in asked:
        return failure
    if len(asked) == 1:
        return failure._replace(version_id=asked[0])
    row = ERRORS.get(failure.code)
    document = ErrorDocument(failure.code, failure.message)
    raise service_error(document, row.status if row else 500, f"{bucket}/{failure.key}")


def _is_wanted(response: Response, part: ByteRange | None) -> bool:
    """Tell whether an answer has the bytes that were asked for."""
    content_range = response.headers.get("content-range")
    if content_range is None:
        return part is None and response.status != 206
    try:
        found, size_bytes = parse_content_range(content_range)
    except ValueError:
        # Who reads the rest of the head says what is wrong with it.
        return True
    wanted = part or ByteRange(0, size_bytes)
    return found == wanted and sum(wanted) <= size_bytes


def _version_query(version_id: str | None) -> list[tuple[str, str]]:
    return [] if version_id is None else [("versionId", version_id)]
