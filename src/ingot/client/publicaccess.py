"""What a bucket's policy lets anybody do below a prefix, and the policy that lets them; pure.

The four words are mc's: none (`private`), `download`, `upload`, `public`. What is neither of these
is `custom`.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ingot.base.errors import UsageError

PRIVATE, DOWNLOAD, UPLOAD, PUBLIC, CUSTOM = "private", "download", "upload", "public", "custom"
PERMISSIONS = (PRIVATE, DOWNLOAD, UPLOAD, PUBLIC)
# Words that older versions of mc and of S3's ACLs have for the same.
SYNONYMS = {"none": PRIVATE, "readonly": DOWNLOAD, "writeonly": UPLOAD, "readwrite": PUBLIC}
_VERSION = "2012-10-17"
_READ = ("s3:GetObject",)
_WRITE = (
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
)
_WORDS = {
    (False, False): PRIVATE,
    (True, False): DOWNLOAD,
    (False, True): UPLOAD,
    (True, True): PUBLIC,
}

Policy = dict[str, Any]


def parse_policy(data: bytes) -> Policy:
    """Read a policy; none at all is an empty one.

    Raises:
        UsageError: it is none.
    """
    if not data.strip():
        return {"Version": _VERSION, "Statement": []}
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a policy is JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Statement", []), list | dict):
        raise UsageError("a policy is an object with a list of statements")
    statements = document.get("Statement", [])
    document["Statement"] = statements if isinstance(statements, list) else [statements]
    if not all(isinstance(statement, dict) for statement in document["Statement"]):
        raise UsageError("a statement of a policy is an object")
    return document


def render_policy(policy: Policy) -> bytes:
    """Write a policy."""
    return json.dumps(policy, ensure_ascii=False).encode()


def with_access(policy: Policy, bucket: str, prefix: str, permission: str) -> Policy:
    """Return a policy that gives anybody this permission below a prefix, and else as before.

    Raises:
        UsageError: other statements of the policy say something else.
    """
    given = [statement for word in PERMISSIONS for statement in _statements(bucket, prefix, word)]
    kept = [statement for statement in policy["Statement"] if statement not in given]
    made = {"Version": policy.get("Version", _VERSION), **policy}
    made["Statement"] = [*kept, *_statements(bucket, prefix, permission)]
    if (found := access(made, bucket, prefix, below=False)) != permission:
        raise UsageError(
            f"other statements of the policy of {bucket} make it {found!r} there",
            hint="see them with 'ingot anonymous get-json'",
        )
    return made


def access(policy: Policy, bucket: str, prefix: str, *, below: bool = True) -> str:
    """Return what anybody may do with all objects below a prefix.

    Args:
        policy: of the bucket.
        bucket: its name.
        prefix: of the keys.
        below: statements about some of these objects only make it `custom`.
    """
    resource = f"arn:aws:s3:::{bucket}/{prefix}*"
    about = [one for one in policy["Statement"] if _is_anybody(one)]
    covering = [one for one in about if _covers(one, resource)]
    concerned = [one for one in about if _meets(one, resource)] if below else covering
    if any(one.get("Effect") != "Allow" or one.get("Condition") for one in covering):
        return CUSTOM
    if len(concerned) != len(covering):
        return CUSTOM
    reads, writes = (_allows(covering, actions) for actions in (_READ, ("s3:PutObject",)))
    return _WORDS[reads, writes]


def prefixes(policy: Policy, bucket: str) -> dict[str, str]:
    """Return what anybody may do, by the prefixes that the policy names."""
    start = f"arn:aws:s3:::{bucket}/"
    named = {
        resource[len(start) :].removesuffix("*")
        for statement in policy["Statement"]
        if _is_anybody(statement)
        for resource in _listed(statement.get("Resource"))
        if resource.startswith(start)
    }
    found = {prefix: access(policy, bucket, prefix, below=False) for prefix in sorted(named)}
    return {prefix: word for prefix, word in found.items() if word != PRIVATE}


def _statements(bucket: str, prefix: str, permission: str) -> list[dict[str, Any]]:
    if permission == PRIVATE:
        return []
    anybody = {"AWS": ["*"]}
    bucket_arn = f"arn:aws:s3:::{bucket}"
    reads, writes = permission in (DOWNLOAD, PUBLIC), permission in (UPLOAD, PUBLIC)
    on_bucket = ["s3:GetBucketLocation", *(["s3:ListBucketMultipartUploads"] if writes else [])]
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Allow",
            "Principal": anybody,
            "Action": on_bucket,
            "Resource": [bucket_arn],
        }
    ]
    if reads:
        listing: dict[str, Any] = {
            "Effect": "Allow",
            "Principal": anybody,
            "Action": ["s3:ListBucket"],
            "Resource": [bucket_arn],
        }
        if prefix:
            listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}*"]}}
        statements.append(listing)
    actions = [*(_READ if reads else ()), *(_WRITE if writes else ())]
    statements.append(
        {
            "Effect": "Allow",
            "Principal": anybody,
            "Action": actions,
            "Resource": [f"{bucket_arn}/{prefix}*"],
        }
    )
    return statements


def _is_anybody(statement: Mapping[str, Any]) -> bool:
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        return "*" in _listed(principal.get("AWS"))
    return principal == "*"


def _meets(statement: Mapping[str, Any], resource: str) -> bool:
    """Tell whether a statement is about some of the objects that a resource names."""
    start = resource.removesuffix("*")
    return "NotResource" in statement or any(
        _matches(pattern, resource) or pattern.partition("*")[0].startswith(start)
        for pattern in _listed(statement.get("Resource"))
    )


def _covers(statement: Mapping[str, Any], resource: str) -> bool:
    """Tell whether a statement is about all of them."""
    return any(_matches(pattern, resource) for pattern in _listed(statement.get("Resource")))


def _matches(pattern: str, resource: str) -> bool:
    # Only `*` and `?` are special in a policy; a resource may hold what is special to fnmatch.
    return fnmatch.fnmatchcase(resource, pattern.replace("[", "[[]"))


def _allows(statements: Iterable[Mapping[str, Any]], actions: Iterable[str]) -> bool:
    patterns = [pattern for statement in statements for pattern in _listed(statement.get("Action"))]
    return all(
        any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
        for action in actions
    )


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
