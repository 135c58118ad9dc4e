"""Presigned URLs of AWS Signature Version 2, which boto3 makes for endpoints of its user's own.

Only the query form and only its verification: signed headers must be of version 4. Version 2
covers the method, the path, the expiry, `x-amz-` headers and the query parameters listed here, and
nothing else of the request. Pure. Source: Amazon S3 developer guide, "Signing and authenticating
REST requests", section "Query string request authentication alternative".
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ingot.base.secret import Secret
from ingot.s3.dates import NS_PER_S, format_iso8601
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import UNSIGNED_PAYLOAD, Query

ACCESS_KEY_PARAMETER = "AWSAccessKeyId"

# What counts as part of the resource; clients differ in what they sign beyond this.
_COVERED = frozenset(
    {
        *("accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "encryption"),
        *("inventory", "legal-hold", "lifecycle", "location", "logging", "metrics"),
        *("notification", "object-lock", "partNumber", "policy", "replication", "requestPayment"),
        *("response-cache-control", "response-content-disposition", "response-content-encoding"),
        *("response-content-language", "response-content-type", "response-expires", "restore"),
        *("retention", "select", "select-type", "storageClass", "tagging", "torrent", "uploadId"),
        *("uploads", "versionId", "versioning", "versions", "website"),
    }
)
# Selects between two forms of an operation that demand the same permission.
_HARMLESS = frozenset({"list-type"})
_SIGNED_CHUNKS = "STREAMING-AWS4"
_EXPIRES_DIGITS_MAX = 12


class PresignedV2(NamedTuple):
    """What a URL presigned with version 2 claims.

    Attributes:
        access_key: the access key id.
        signature: in base64.
        expires: seconds since the epoch, as signed.
        payload_hash: the value that stands for the body.
        session_token: that of temporary credentials.
    """

    access_key: str
    signature: str
    expires: str
    payload_hash: str
    session_token: str | None


def parse_presigned_v2(query: Query, headers: Mapping[str, str]) -> PresignedV2:
    """Read the claim of a URL presigned with version 2.

    Args:
        query: decoded, `AWSAccessKeyId` is in it.
        headers: by lower-case name.

    Raises:
        S3Error: `AccessDenied` when a parameter is missing or malformed, `InvalidRequest` for a
            body whose chunks are signed with version 4.
    """
    names = (ACCESS_KEY_PARAMETER, "Signature", "Expires")
    wanted = [(name, value) for name, value in query if name in names]
    values = dict(wanted)
    if len(wanted) != len(names) or len(values) != len(names):
        raise S3Error(
            "AccessDenied",
            "Query-string authentication requires the Signature, Expires and AWSAccessKeyId"
            " parameters, each of them once",
        )
    expires = values["Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= _EXPIRES_DIGITS_MAX):
        raise S3Error("AccessDenied", f"Invalid date (should be seconds since epoch): {expires}")
    payload_hash = headers.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if payload_hash.startswith(_SIGNED_CHUNKS):
        raise S3Error("InvalidRequest", "A URL of signature version 2 cannot sign chunks.")
    token = dict(query).get("x-amz-security-token", headers.get("x-amz-security-token"))
    return PresignedV2(
        values[ACCESS_KEY_PARAMETER], values["Signature"], expires, payload_hash, token
    )


def check_presigned_v2(claim: PresignedV2, subresource: Iterable[str], *, now_ns: int) -> None:
    """Refuse a claim that no signature could make good.

    Args:
        claim: from `parse_presigned_v2`.
        subresource: the query names that made the request the operation it is. Those that version
            2 does not cover could be added by anybody who holds the URL.
        now_ns: nanoseconds since the epoch.

    Raises:
        S3Error: `AccessDenied` for the expired, `InvalidRequest` for other operations.
    """
    expires_s = int(claim.expires)
    if now_ns // NS_PER_S > expires_s:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            Expires=format_iso8601(expires_s * NS_PER_S),
            ServerTime=format_iso8601(now_ns),
        )
    foreign = set(subresource) - _COVERED - _HARMLESS
    if foreign:
        raise S3Error(
            "InvalidRequest",
            f"Signature version 2 does not cover {', '.join(sorted(foreign))}. Please use"
            " AWS4-HMAC-SHA256.",
        )


def verify_presigned_v2(
    claim: PresignedV2,
    secret_key: Secret,
    *,
    method: str,
    resources: Sequence[str],
    query: Query,
    headers: Mapping[str, str],
) -> None:
    """Check a claim's signature with the secret of its access key, in constant time.

    Args:
        claim: passed `check_presigned_v2`.
        secret_key: of `claim.access_key`.
        method: the HTTP method.
        resources: the path as sent, behind `/BUCKET` when the host names the bucket; of a bucket
            both `/BUCKET` and `/BUCKET/`, because clients send the one and sign the other.
        query: decoded.
        headers: by lower-case name.

    Raises:
        S3Error: `SignatureDoesNotMatch`.
    """
    key, claimed = secret_key.reveal().encode(), claim.signature.encode()
    for resource in resources:
        text = _string_to_sign(claim, method, resource, query, headers)
        digest = hmac.digest(key, text.encode(errors="surrogateescape"), "sha1")
        if hmac.compare_digest(base64.b64encode(digest), claimed):
            return
    raise S3Error("SignatureDoesNotMatch", AWSAccessKeyId=claim.access_key)


def _string_to_sign(
    claim: PresignedV2, method: str, resource: str, query: Query, headers: Mapping[str, str]
) -> str:
    custom = sorted(name for name in headers if name.startswith("x-amz-"))
    covered = sorted((name, value) for name, value in query if name in _COVERED)
    parts = "&".join([f"{name}={value}" if value else name for name, value in covered])
    return "\n".join(
        [
            method,
            _text(headers.get("content-md5", "")),
            _text(headers.get("content-type", "")),
            claim.expires,
            *(f"{name}:{_text(headers[name])}" for name in custom),
            f"{resource}?{parts}" if parts else resource,
        ]
    )


def _text(value: str) -> str:
    """Return a header's value as the client signed it: the UTF-8 that its Latin-1 stands for."""
    return value.strip().encode("latin-1").decode(errors="surrogateescape")
