"""The table of S3 operations: which request is which operation, and what it asks permission for.

An implemented row has one handler function of the same snake_case name in its family's file; a
tidy test pairs them. Requests of the second table are known and answered 501 NotImplemented.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Literal, NamedTuple

from ingot.s3.errors import S3Error

Scope = Literal["service", "bucket", "object"]


class Operation(NamedTuple):
    """One S3 operation.

    Attributes:
        name: as Amazon writes it, `PutObject`.
        method: the HTTP method.
        scope: what the path names: nothing, a bucket, or a bucket and a key.
        subresource: query names that must be there for this operation and no other.
        header: a request header that must be there, or None.
        action: the permission it needs, `s3:PutObject`.
        family: the handler file, `objects`.
    """

    name: str
    method: str
    scope: Scope
    subresource: frozenset[str]
    header: str | None
    action: str
    family: str


class UnimplementedOperation(NamedTuple):
    """A request that S3 knows and this server does not serve yet."""

    name: str
    method: str
    scope: Scope
    subresource: frozenset[str]
    header: str | None


def _row(name: str, where: str, action: str, family: str, header: str | None = None) -> Operation:
    method, scope, subresource = _where(where)
    return Operation(name, method, scope, subresource, header, f"s3:{action}", family)


def _where(text: str) -> tuple[str, Scope, frozenset[str]]:
    """Read `PUT object ?partNumber&uploadId`."""
    method, scope_text, *query = text.split()
    scopes: dict[str, Scope] = {"service": "service", "bucket": "bucket", "object": "object"}
    names = frozenset(query[0][1:].split("&")) if query else frozenset[str]()
    return method, scopes[scope_text], names


COPY_SOURCE = "x-amz-copy-source"

OPERATIONS: tuple[Operation, ...] = (
    _row("ListBuckets", "GET service", "ListAllMyBuckets", "buckets"),
    _row("CreateBucket", "PUT bucket", "CreateBucket", "buckets"),
    _row("HeadBucket", "HEAD bucket", "ListBucket", "buckets"),
    _row("DeleteBucket", "DELETE bucket", "DeleteBucket", "buckets"),
    _row("GetBucketLocation", "GET bucket ?location", "GetBucketLocation", "buckets"),
    _row("GetBucketVersioning", "GET bucket ?versioning", "GetBucketVersioning", "buckets"),
    _row("PutBucketVersioning", "PUT bucket ?versioning", "PutBucketVersioning", "buckets"),
    _row("GetBucketPolicy", "GET bucket ?policy", "GetBucketPolicy", "policy"),
    _row("PutBucketPolicy", "PUT bucket ?policy", "PutBucketPolicy", "policy"),
    _row("DeleteBucketPolicy", "DELETE bucket ?policy", "DeleteBucketPolicy", "policy"),
    _row("GetBucketPolicyStatus", "GET bucket ?policyStatus", "GetBucketPolicyStatus", "policy"),
    _row("GetBucketCors", "GET bucket ?cors", "GetBucketCORS", "cors"),
    _row("PutBucketCors", "PUT bucket ?cors", "PutBucketCORS", "cors"),
    _row("DeleteBucketCors", "DELETE bucket ?cors", "PutBucketCORS", "cors"),
    _row("GetBucketLifecycle", "GET bucket ?lifecycle", "GetLifecycleConfiguration", "lifecycle"),
    _row("PutBucketLifecycle", "PUT bucket ?lifecycle", "PutLifecycleConfiguration", "lifecycle"),
    _row(
        "DeleteBucketLifecycle",
        "DELETE bucket ?lifecycle",
        "PutLifecycleConfiguration",
        "lifecycle",
    ),
    _row("ListenNotification", "GET service ?events", "ListenNotification", "listen"),
    _row("ListenBucketNotification", "GET bucket ?events", "ListenBucketNotification", "listen"),
    _row("ListObjects", "GET bucket", "ListBucket", "listing"),
    _row("ListObjectsV2", "GET bucket ?list-type", "ListBucket", "listing"),
    _row("ListObjectVersions", "GET bucket ?versions", "ListBucketVersions", "listing"),
    _row("PutObject", "PUT object", "PutObject", "objects"),
    _row("PostObject", "POST bucket", "PutObject", "forms"),
    _row("GetObject", "GET object", "GetObject", "objects"),
    _row("HeadObject", "HEAD object", "GetObject", "objects"),
    _row("GetObjectAttributes", "GET object ?attributes", "GetObjectAttributes", "attributes"),
    _row("GetObjectTagging", "GET object ?tagging", "GetObjectTagging", "tagging"),
    _row("PutObjectTagging", "PUT object ?tagging", "PutObjectTagging", "tagging"),
    _row("DeleteObjectTagging", "DELETE object ?tagging", "DeleteObjectTagging", "tagging"),
    _row("GetBucketTagging", "GET bucket ?tagging", "GetBucketTagging", "tagging"),
    _row("PutBucketTagging", "PUT bucket ?tagging", "PutBucketTagging", "tagging"),
    _row("DeleteBucketTagging", "DELETE bucket ?tagging", "PutBucketTagging", "tagging"),
    _row(
        "GetObjectLockConfiguration",
        "GET bucket ?object-lock",
        "GetBucketObjectLockConfiguration",
        "lock",
    ),
    _row(
        "PutObjectLockConfiguration",
        "PUT bucket ?object-lock",
        "PutBucketObjectLockConfiguration",
        "lock",
    ),
    _row("GetObjectRetention", "GET object ?retention", "GetObjectRetention", "lock"),
    _row("PutObjectRetention", "PUT object ?retention", "PutObjectRetention", "lock"),
    _row("GetObjectLegalHold", "GET object ?legal-hold", "GetObjectLegalHold", "lock"),
    _row("PutObjectLegalHold", "PUT object ?legal-hold", "PutObjectLegalHold", "lock"),
    _row("CopyObject", "PUT object", "PutObject", "copy", COPY_SOURCE),
    _row("DeleteObject", "DELETE object", "DeleteObject", "delete"),
    _row("DeleteObjects", "POST bucket ?delete", "DeleteObject", "delete"),
    _row("CreateMultipartUpload", "POST object ?uploads", "PutObject", "multipart"),
    _row("UploadPart", "PUT object ?partNumber&uploadId", "PutObject", "multipart"),
    _row("UploadPartCopy", "PUT object ?partNumber&uploadId", "PutObject", "copy", COPY_SOURCE),
    _row("CompleteMultipartUpload", "POST object ?uploadId", "PutObject", "multipart"),
    _row("AbortMultipartUpload", "DELETE object ?uploadId", "AbortMultipartUpload", "multipart"),
    _row("ListParts", "GET object ?uploadId", "ListMultipartUploadParts", "multipart"),
    _row("ListMultipartUploads", "GET bucket ?uploads", "ListBucketMultipartUploads", "multipart"),
)


def _unimplemented() -> Iterable[UnimplementedOperation]:
    plain = (
        ("GetObjectTorrent", "GET object ?torrent"),
        ("SelectObjectContent", "POST object ?select&select-type"),
        ("RestoreObject", "POST object ?restore"),
        ("RenameObject", "PUT object ?renameObject"),
        ("GetBucketAcl", "GET bucket ?acl"),
        ("PutBucketAcl", "PUT bucket ?acl"),
        ("GetObjectAcl", "GET object ?acl"),
        ("PutObjectAcl", "PUT object ?acl"),
        ("GetBucketNotificationConfiguration", "GET bucket ?notification"),
        ("PutBucketNotificationConfiguration", "PUT bucket ?notification"),
        ("GetBucketLogging", "GET bucket ?logging"),
        ("PutBucketLogging", "PUT bucket ?logging"),
        ("GetBucketAccelerateConfiguration", "GET bucket ?accelerate"),
        ("PutBucketAccelerateConfiguration", "PUT bucket ?accelerate"),
        ("GetBucketRequestPayment", "GET bucket ?requestPayment"),
        ("PutBucketRequestPayment", "PUT bucket ?requestPayment"),
    )
    for name, where in plain:
        yield UnimplementedOperation(name, *_where(where), None)
    # Settings of a bucket that are read, written and deleted at one place.
    for noun, query in (
        ("BucketEncryption", "encryption"),
        ("BucketReplication", "replication"),
        ("BucketWebsite", "website"),
        ("BucketOwnershipControls", "ownershipControls"),
        ("PublicAccessBlock", "publicAccessBlock"),
        ("BucketAnalyticsConfiguration", "analytics"),
        ("BucketInventoryConfiguration", "inventory"),
        ("BucketMetricsConfiguration", "metrics"),
        ("BucketIntelligentTieringConfiguration", "intelligent-tiering"),
    ):
        for verb, method in (("Get", "GET"), ("Put", "PUT"), ("Delete", "DELETE")):
            yield UnimplementedOperation(
                f"{verb}{noun}", *_where(f"{method} bucket ?{query}"), None
            )


UNIMPLEMENTED: tuple[UnimplementedOperation, ...] = tuple(_unimplemented())

_Row = Operation | UnimplementedOperation


def _index() -> dict[tuple[str, str], dict[frozenset[str], list[_Row]]]:
    index: dict[tuple[str, str], dict[frozenset[str], list[_Row]]] = {}
    rows: tuple[_Row, ...] = (*OPERATIONS, *UNIMPLEMENTED)
    # Rows that want a header are tried before their plain sibling.
    for row in sorted(rows, key=lambda row: row.header is None):
        places = index.setdefault((row.method, row.scope), {})
        places.setdefault(row.subresource, []).append(row)
    return index


_INDEX = _index()
_SELECTORS = {
    place: frozenset[str]().union(*subresources) for place, subresources in _INDEX.items()
}
_ALL_SELECTORS = {
    scope: frozenset[str]().union(
        *(names for place, names in _SELECTORS.items() if place[1] == scope)
    )
    for scope in ("service", "bucket", "object")
}


_NOTHING = frozenset[str]()


def match(
    method: str, scope: Scope, query_names: Iterable[str], header_names: Container[str]
) -> Operation:
    """Return the operation a request is for.

    Args:
        method: the HTTP method.
        scope: what the request's path names.
        query_names: names in the query string (a dict of the query will do).
        header_names: lower-case names of the request's headers (a dict will do).

    Raises:
        S3Error: `MethodNotAllowed` when S3 has no such operation, `NotImplemented` when S3 has it
            and this server does not, `InvalidRequest` when the query names two operations at once.
    """
    subresources = _INDEX.get((method, scope))
    if subresources is None:
        raise S3Error("MethodNotAllowed", Method=method, ResourceType=scope.upper())
    chosen = _SELECTORS[method, scope].intersection(query_names) if query_names else _NOTHING
    rows = subresources.get(chosen)
    if rows is None:
        raise _no_such(method, scope, chosen)
    if not chosen and (elsewhere := _ALL_SELECTORS[scope].intersection(query_names)):
        # `DELETE /bucket?versioning` must never be taken for DeleteBucket.
        foreign = elsewhere - _HARMLESS
        if foreign:
            raise S3Error("MethodNotAllowed", Method=method, ResourceType=min(foreign).upper())
    # Every place has a row that wants no header, behind those that do.
    row = next(row for row in rows if row.header is None or row.header in header_names)
    if isinstance(row, Operation):
        return row
    raise S3Error("NotImplemented", f"{row.name} is not implemented.")


# `GET /bucket/key?partNumber=2` is GetObject of one part.
_HARMLESS = frozenset({"partNumber"})


def _no_such(method: str, scope: Scope, chosen: frozenset[str]) -> S3Error:
    names = ", ".join(sorted(chosen))
    if len(chosen) > 1:
        return S3Error(
            "InvalidRequest", f"The query parameters {names} do not go together.", Method=method
        )
    return S3Error("MethodNotAllowed", Method=method, ResourceType=(names or scope).upper())
