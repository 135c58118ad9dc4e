"""What several handler files share: the owner, refused headers, and an object's answer headers."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from ingot.s3.checksums import ALGORITHMS, TYPE_HEADER, ChecksumValue
from ingot.s3.conditions import check_write, parse_conditions
from ingot.s3.dates import NS_PER_S, format_http_date
from ingot.s3.documents.common import Owner, parse_checksum_type
from ingot.s3.errors import S3Error
from ingot.s3.headers import (
    DEFAULT_CONTENT_TYPE,
    STANDARD,
    STORAGE_CLASS_HEADER,
    VERSION_ID_HEADER,
    format_user_metadata,
    parse_content_headers,
    parse_storage_class,
    parse_user_metadata,
)
from ingot.s3.lockheaders import format_lock_headers
from ingot.s3.tags import TAG_COUNT_HEADER, TAGGING_HEADER, parse_tagging_header
from ingot.server.request import Request
from ingot.server.response import Headers, header
from ingot.store.changes import Precondition
from ingot.store.keys import NULL_VERSION
from ingot.store.records import Attributes, ListedRecord
from ingot.store.stored import StoredObject

# Everything belongs to one account; its canonical id has the form that Amazon's have.
OWNER = Owner(id="696e676f74" + "0" * 54, display_name="ingot")

# What a cache keeps of an answer beside the validators.
_CACHE_HEADERS = ("cache-control", "expires")
_PRIVATE_ACLS = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read"})
# Asking for protection and getting none would be worse than an error.
_REFUSED_HEADERS = (
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
)


def refuse_unsupported(request: Request) -> None:
    """Refuse headers that ask for what this server does not do yet.

    Raises:
        S3Error: `NotImplemented`.
    """
    headers = request.headers
    for name in _REFUSED_HEADERS:
        if name in headers:
            raise S3Error("NotImplemented", f"The header {name} is not implemented.", Header=name)
    acl = headers.get("x-amz-acl")
    if acl is not None and acl not in _PRIVATE_ACLS:
        raise S3Error("NotImplemented", f"The canned ACL {acl} is not implemented.")


def version_id_of(request: Request) -> str | None:
    """Return the version that the request names, if it names one.

    Raises:
        S3Error: `InvalidArgument` when it names an empty one.
    """
    version_id = request.parameters.get("versionId")
    if version_id is not None and not version_id:
        raise S3Error(
            "InvalidArgument",
            "Version id cannot be the empty string",
            ArgumentName="versionId",
            ArgumentValue="",
        )
    return version_id


def version_headers(version_id: str) -> Headers:
    """Return the header that names a version that was made; the null version goes unnamed."""
    return [] if version_id == NULL_VERSION else [header(VERSION_ID_HEADER, version_id)]


def shown_version(version_id: str, *, versioned: bool) -> Headers:
    """Return the header that names a version which was found.

    The null version is named where there are versions, or were once.
    """
    return [header(VERSION_ID_HEADER, version_id)] if versioned else version_headers(version_id)


def attributes_of(request: Request) -> Attributes:
    """Return what the object keeps of the request's headers.

    Raises:
        S3Error: `MetadataTooLarge`, `InvalidArgument`, `InvalidTag`, `InvalidStorageClass`.
    """
    headers = request.headers
    return Attributes(
        headers=parse_content_headers(headers),
        metadata=parse_user_metadata(headers),
        tags=parse_tagging_header(headers[TAGGING_HEADER]) if TAGGING_HEADER in headers else {},
        storage_class=parse_storage_class(headers),
    )


def precondition_of(request: Request) -> Precondition | None:
    """Return what the request demands of the object that it would replace, if anything."""
    if "if-match" not in request.headers and "if-none-match" not in request.headers:
        return None
    conditions = parse_conditions(request.headers)
    return lambda found: check_write(conditions, None if found is None else found.etag)


def object_headers(found: StoredObject, *, with_checksums: bool) -> Headers:
    """Return the headers that GET and HEAD answer for an object, but for its length."""
    record = found.record
    headers = validators(record)
    if found.versioned:
        headers.append(header(VERSION_ID_HEADER, record.version_id))
    lock = record.lock
    if lock is not None:
        locked = format_lock_headers(lock.mode, lock.until_ns, hold=lock.hold)
        headers += [header(name, value) for name, value in locked.items()]
    attributes = record.attributes
    if attributes.storage_class != STANDARD:
        headers.append(header(STORAGE_CLASS_HEADER, attributes.storage_class))
    if attributes.tags:
        headers.append(header(TAG_COUNT_HEADER, str(len(attributes.tags))))
    stored = attributes.headers
    if "content-type" not in stored:
        headers.append((b"content-type", DEFAULT_CONTENT_TYPE.encode()))
    headers += [header(name, value) for name, value in stored.items()]
    if attributes.metadata:
        metadata = format_user_metadata(attributes.metadata)
        headers += [header(name, value) for name, value in metadata]
    if with_checksums and record.checksums:
        headers += [
            header(ALGORITHMS[name].header, value) for name, value in record.checksums.items()
        ]
        headers.append(header(TYPE_HEADER, record.checksum_type))
    return headers


def not_modified_headers(found: StoredObject) -> Headers:
    """Return the headers of an answer 304: what a cache brings up to date (RFC 9110 §15.4.5)."""
    record = found.record
    stored = record.attributes.headers
    return [
        *validators(record),
        *shown_version(record.version_id, versioned=found.versioned),
        *(header(name, stored[name]) for name in _CACHE_HEADERS if name in stored),
    ]


def validators(record: ListedRecord) -> Headers:
    """Return the two headers that conditional requests go by."""
    return [
        (b"etag", b'"%s"' % record.etag.encode("ascii")),
        last_modified(record),
    ]


def last_modified(record: ListedRecord) -> tuple[bytes, bytes]:
    """Return the header of that name."""
    return b"last-modified", _last_modified(record.modified_ns // NS_PER_S)


def checksum_of(record: ListedRecord) -> ChecksumValue | None:
    """Return an object's checksum as documents carry it."""
    value = checksum_value(record.checksums)
    if value is None:
        return None
    return value._replace(type=parse_checksum_type(record.checksum_type))


def checksum_value(sums: Mapping[str, str]) -> ChecksumValue | None:
    """Return the first of the checksums by algorithm, without a type."""
    return next((ChecksumValue(name, value) for name, value in sums.items()), None)


@functools.lru_cache(maxsize=1024)
def _last_modified(time_s: int) -> bytes:
    return format_http_date(time_s * NS_PER_S).encode("ascii")
