"""From any failure to the answer that S3 clients understand: the one mapping of store errors."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ingot.s3.dates import format_http_date
from ingot.s3.documents.error import ErrorDocument, render
from ingot.s3.errors import S3Error
from ingot.s3.headers import DELETE_MARKER_HEADER, VERSION_ID_HEADER
from ingot.server.admin.operations import PREFIX
from ingot.server.request import Message, Request
from ingot.server.response import Response, document, empty, json_document
from ingot.store import errors as store

_log = logging.getLogger("ingot.server.errors")


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole; there is nobody to answer."""


def failure(
    error: Exception, scope: Message, request: Request | None, request_id: str, host_id: str
) -> Response:
    """Return the answer for a failed request; what is our own fault goes to the log."""
    known = to_s3_error(error)
    if known is None:
        _log.error("%s %r failed", scope["method"], scope["raw_path"], exc_info=error)
        known = S3Error("InternalError")
    elif known.status >= 500 and not isinstance(error, S3Error):
        _log.error("%s %r failed: %s", scope["method"], scope["raw_path"], error)
    if scope["method"] == "HEAD" or known.status == 304:
        return empty(known.status, known.headers)
    fields = dict(known.fields)
    if request is not None:
        if request.bucket:
            fields.setdefault("BucketName", request.bucket)
        if request.key:
            fields.setdefault("Key", request.key)
    fields["HostId"] = host_id
    if scope["raw_path"].startswith(PREFIX):
        told = {"Code": known.code, "Message": known.message, "RequestId": request_id, **fields}
        return json_document(told, status=known.status)
    return document(
        render(
            ErrorDocument(
                code=known.code,
                message=known.message,
                resource=scope["raw_path"].decode("latin-1"),
                request_id=request_id,
                fields=fields,
            )
        ),
        status=known.status,
        headers=known.headers,
    )


def to_s3_error(error: Exception) -> S3Error | None:
    """Return the S3 error that stands for a failure, or None if it is a fault of this program."""
    if isinstance(error, S3Error):
        return error
    for kind in type(error).__mro__:
        if kind in _MAPPING:
            return _MAPPING[kind](error)
    return None


def _plain(code: str) -> Callable[[Exception], S3Error]:
    return lambda error: S3Error(code)


def _of_bucket(code: str) -> Callable[[store.BucketError], S3Error]:
    return lambda error: S3Error(code, BucketName=error.bucket)


def _deleted(error: store.DeletedError) -> S3Error:
    known = S3Error("NoSuchKey", BucketName=error.bucket, Key=error.key)
    known.headers = _marker_headers(error.version_id)
    return known


def _delete_marker(error: store.DeleteMarkerError) -> S3Error:
    known = S3Error("MethodNotAllowed", Method="GET", ResourceType="DeleteMarker")
    known.headers = _marker_headers(error.version_id) | {
        "allow": "DELETE",
        "last-modified": format_http_date(error.modified_ns),
    }
    return known


def _marker_headers(version_id: str) -> dict[str, str]:
    return {DELETE_MARKER_HEADER: "true", VERSION_ID_HEADER: version_id}


def _digest_mismatch(error: store.DigestMismatchError) -> S3Error:
    # Bodies are verified before the store has them: this is about a completed upload.
    if error.name == "size":
        return S3Error(
            "InvalidRequest", "The provided x-amz-mp-object-size does not match the parts' sum."
        )
    return S3Error(
        "BadDigest", f"The {error.name} you specified did not match the calculated checksum."
    )


_MAPPING: dict[type, Callable[..., S3Error]] = {
    store.NoSuchBucketError: _of_bucket("NoSuchBucket"),
    store.BucketExistsError: _of_bucket("BucketAlreadyOwnedByYou"),
    store.BucketNotEmptyError: _of_bucket("BucketNotEmpty"),
    store.BucketLockedError: lambda error: S3Error(
        "InvalidBucketState",
        "An Object Lock configuration is present on this bucket, so the versioning state cannot be"
        " changed.",
        BucketName=error.bucket,
    ),
    store.BucketUnversionedError: lambda error: S3Error(
        "InvalidBucketState",
        "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        BucketName=error.bucket,
    ),
    store.BucketUnlockableError: lambda error: S3Error(
        "InvalidRequest",
        "Bucket is missing Object Lock Configuration",
        BucketName=error.bucket,
    ),
    store.QuotaExceededError: _of_bucket("XMinioAdminBucketQuotaExceeded"),
    store.ObjectLockedError: lambda error: S3Error(
        "AccessDenied",
        "Access Denied because object protected by object lock.",
        Key=error.key,
        VersionId=error.version_id,
    ),
    store.NoSuchKeyError: lambda error: S3Error(
        "NoSuchKey", BucketName=error.bucket, Key=error.key
    ),
    store.DeletedError: _deleted,
    store.DeleteMarkerError: _delete_marker,
    store.NoSuchVersionError: lambda error: S3Error(
        "NoSuchVersion", Key=error.key, VersionId=error.version_id
    ),
    store.NoSuchUploadError: lambda error: S3Error("NoSuchUpload", UploadId=error.upload_id),
    store.InvalidPartError: lambda error: S3Error(
        "InvalidPart",
        UploadId=error.upload_id,
        PartNumber=str(error.part_number),
        ETag=error.etag,
    ),
    store.InvalidPartOrderError: _plain("InvalidPartOrder"),
    store.PartTooSmallError: lambda error: S3Error(
        "EntityTooSmall",
        PartNumber=str(error.part_number),
        ProposedSize=str(error.size_bytes),
        ETag=error.etag,
    ),
    store.ObjectTooLargeError: _plain("EntityTooLarge"),
    store.DigestMismatchError: _digest_mismatch,
    store.ChecksumUnknownError: lambda error: S3Error("InvalidRequest", error.message),
    store.BlobDamagedError: _plain("InternalError"),
    store.RecordDamagedError: _plain("InternalError"),
    store.CatalogDamagedError: _plain("InternalError"),
    store.StoreFullError: _plain("XMinioStorageFull"),
    store.StoreBusyError: _plain("SlowDown"),
    store.StoreFailedError: _plain("ServiceUnavailable"),
}
