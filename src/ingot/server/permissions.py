"""What a request needs permission for, and what policies may know of it: pure.

Source: AWS service authorization reference, "Actions, resources, and condition keys for Amazon S3".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ingot.iam.identities import Identity
from ingot.iam.policies import ARN_PREFIX
from ingot.s3.claims import Claim
from ingot.s3.dates import NS_PER_S, format_iso8601, parse_iso8601
from ingot.s3.lockheaders import BUCKET_HEADER, HOLD_HEADER, MODE_HEADER, UNTIL_HEADER
from ingot.s3.names import parse_copy_source
from ingot.s3.operations import COPY_SOURCE
from ingot.s3.tags import TAGGING_HEADER, parse_tagging_header
from ingot.server.request import Request

# Permissions of their own for a version that is named.
_OF_VERSION: Mapping[str, str] = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
    "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
}
# Their keys are in the body: each is asked for when that was read.
_ASK_LATER = frozenset({"DeleteObjects", "PostObject"})
_POSTS = "PostObject"
# Condition keys that are a header of the request.
_HEADERS: Mapping[str, str] = {
    "aws:useragent": "user-agent",
    "aws:referer": "referer",
    "s3:if-match": "if-match",
    "s3:if-none-match": "if-none-match",
    "s3:object-lock-mode": MODE_HEADER,
    "s3:object-lock-retain-until-date": UNTIL_HEADER,
    "s3:object-lock-legal-hold": HOLD_HEADER,
    **{
        f"s3:{name}": name
        for name in (
            "x-amz-acl",
            "x-amz-content-sha256",
            "x-amz-copy-source",
            "x-amz-metadata-directive",
            "x-amz-storage-class",
        )
    },
}
# And those that are a parameter of its query.
_PARAMETERS: Mapping[str, str] = {
    "s3:prefix": "prefix",
    "s3:delimiter": "delimiter",
    "s3:max-keys": "max-keys",
    "s3:versionid": "versionId",
}
_MS_PER_DAY = 24 * 3600 * 1000


class Need(NamedTuple):
    """One permission on one resource."""

    action: str
    bucket: str
    key: str

    @property
    def resource(self) -> str:
        """The ARN."""
        return f"{ARN_PREFIX}{self.bucket}/{self.key}" if self.key else ARN_PREFIX + self.bucket


def needs_of(request: Request) -> list[Need]:
    """Return what a request needs, all of it.

    Raises:
        S3Error: `InvalidArgument` for a copy source that is none.
    """
    operation, headers = request.operation, request.headers
    if operation.name in _ASK_LATER and not request.key:
        return []
    target = (request.bucket, request.key)
    needs = [Need(versioned(operation.action, request.parameters.get("versionId")), *target)]
    if operation.header == COPY_SOURCE:
        bucket, key, version_id = parse_copy_source(headers[COPY_SOURCE])
        needs.append(Need(versioned("s3:GetObject", version_id), bucket, key))
    if operation.action == "s3:PutObject" and TAGGING_HEADER in headers:
        needs.append(Need("s3:PutObjectTagging", *target))
    if MODE_HEADER in headers or UNTIL_HEADER in headers:
        needs.append(Need("s3:PutObjectRetention", *target))
    if HOLD_HEADER in headers:
        needs.append(Need("s3:PutObjectLegalHold", *target))
    if BUCKET_HEADER in headers:
        needs.append(Need("s3:PutBucketObjectLockConfiguration", *target))
    return needs


def versioned(action: str, version_id: str | None) -> str:
    """Return the permission for a version, if one is named."""
    return action if version_id is None else _OF_VERSION.get(action, action)


def context_of(request: Request, identity: Identity, now_ns: int) -> dict[str, list[str]]:
    """Return what conditions may ask of a request.

    Raises:
        S3Error: `InvalidTag`, `InvalidArgument` for tags that are none.
    """
    headers, parameters = request.headers, request.parameters
    context = {
        "aws:currenttime": [format_iso8601(now_ns)],
        "aws:epochtime": [str(now_ns // NS_PER_S)],
        "aws:securetransport": ["true" if request.is_secure else "false"],
        "aws:principaltype": ["User" if identity.name else "Anonymous"],
    }
    if request.remote:
        context["aws:sourceip"] = [request.remote]
    if identity.name:
        context["aws:username"] = context["aws:userid"] = [identity.name]
        context["s3:authtype"] = [_auth_type(request)]
        version_4 = isinstance(request.claim, Claim)
        context["s3:signatureversion"] = ["AWS4-HMAC-SHA256" if version_4 else "AWS"]
    for key, name in _HEADERS.items():
        if name in headers:
            context[key] = [headers[name]]
    for key, name in _PARAMETERS.items():
        if name in parameters:
            context[key] = [parameters[name]]
    _add_tags(context, headers)
    _add_retention(context, headers, now_ns)
    return context


def _auth_type(request: Request) -> str:
    if request.operation.name == _POSTS:
        return "POST"
    return "REST-HEADER" if "authorization" in request.headers else "REST-QUERY-STRING"


def _add_tags(context: dict[str, list[str]], headers: Mapping[str, str]) -> None:
    if TAGGING_HEADER not in headers:
        return
    tags = parse_tagging_header(headers[TAGGING_HEADER])
    context["s3:requestobjecttagkeys"] = [*tags]
    for name, value in tags.items():
        context[f"s3:requestobjecttag/{name.lower()}"] = [value]


def _add_retention(context: dict[str, list[str]], headers: Mapping[str, str], now_ns: int) -> None:
    try:
        until_ns = parse_iso8601(headers.get(UNTIL_HEADER, ""))
    except ValueError:
        return
    days = max(0, (until_ns - now_ns) // 1_000_000 // _MS_PER_DAY)
    context["s3:object-lock-remaining-retention-days"] = [str(days)]
