"""Policies of uploads by forms (POST): what a form may hold, written, signed, read and checked.

Source: Amazon S3 API reference, "Browser-based uploads using POST". No clock here: times come in.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ingot.base.units import KIB
from ingot.s3.dates import format_amz_date, format_iso8601, parse_iso8601
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import ALGORITHM, SERVICE, TERMINATOR, Credentials, sign_text, signing_key

EQUAL, STARTS_WITH = "eq", "starts-with"
POLICY_BYTES_MAX = 64 * KIB
_CONDITIONS_MAX = 128
# Fields that no condition need speak of.
_FREE = frozenset({"bucket", "file", "policy", "x-amz-signature", "awsaccesskeyid", "signature"})
_FREE_PREFIX = "x-ignore-"


class Condition(NamedTuple):
    """What one field must be: `EQUAL` to a value, or beginning with it; names are lower-case."""

    operator: str
    field: str
    value: str


class PostPolicy(NamedTuple):
    """What a form may hold, and until when; sizes are those of the file, None for any."""

    expires_ns: int
    conditions: tuple[Condition, ...]
    least_bytes: int | None = None
    most_bytes: int | None = None


def render(policy: PostPolicy) -> str:
    """Write a policy as the form carries it."""
    conditions: list[list[Any]] = [
        [one.operator, f"${one.field}", one.value] for one in policy.conditions
    ]
    if policy.least_bytes is not None or policy.most_bytes is not None:
        most = (1 << 63) - 1 if policy.most_bytes is None else policy.most_bytes
        conditions.append(["content-length-range", policy.least_bytes or 0, most])
    document = {"expiration": format_iso8601(policy.expires_ns), "conditions": conditions}
    return base64.b64encode(json.dumps(document).encode()).decode("ascii")


def parse(text: str) -> PostPolicy:
    """Read a policy as the form carries it.

    Raises:
        S3Error: `InvalidPolicyDocument` when it is none.
    """
    try:
        if len(text) > POLICY_BYTES_MAX:
            raise _invalid("it is too long")
        document = json.loads(base64.b64decode(text, validate=True))
        expires_ns = parse_iso8601(document["expiration"])
        listed = document["conditions"]
        if not isinstance(listed, list) or len(listed) > _CONDITIONS_MAX:
            raise _invalid("its conditions are no list, or too many")
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _invalid("it is not well-formed") from error
    conditions: list[Condition] = []
    least = most = None
    for item in listed:
        match item:
            case ["content-length-range", int() as low, int() as high] if 0 <= low <= high:
                least, most = low, high
            case [str() as operator, str() as field, str() as value] if field.startswith("$"):
                if operator.lower() not in {EQUAL, STARTS_WITH}:
                    raise _invalid(f"it has no condition {operator!r}")
                conditions.append(Condition(operator.lower(), field[1:].lower(), value))
            case dict() if all(isinstance(value, str) for value in item.values()):
                conditions += [Condition(EQUAL, name.lower(), item[name]) for name in item]
            case _:
                raise _invalid("a condition is not well-formed")
    return PostPolicy(expires_ns, tuple(conditions), least, most)


def check(policy: PostPolicy, fields: Mapping[str, str], now_ns: int) -> None:
    """Make sure that a form may be taken; the file's size is the caller's to compare.

    Args:
        policy: of the form.
        fields: all of them, by lower-case name.
        now_ns: nanoseconds since the epoch.

    Raises:
        S3Error: `AccessDenied` when it expired, a condition does not hold, or a field is there
            that no condition speaks of.
    """
    if policy.expires_ns <= now_ns:
        raise S3Error("AccessDenied", "Invalid according to Policy: Policy expired.")
    spoken = {one.field for one in policy.conditions}
    for name in fields:
        if name not in spoken | _FREE and not name.startswith(_FREE_PREFIX):
            raise S3Error(
                "AccessDenied", f"Invalid according to Policy: Extra input fields: {name}"
            )
    for one in policy.conditions:
        value = fields.get(one.field, "")
        holds = value == one.value if one.operator == EQUAL else value.startswith(one.value)
        if not holds:
            raise S3Error(
                "AccessDenied",
                "Invalid according to Policy: Policy Condition failed:"
                f' ["{one.operator}", "${one.field}", "{one.value}"]',
            )


def signed_fields(
    credentials: Credentials, policy: PostPolicy, *, region: str, now_ns: int
) -> dict[str, str]:
    """Return the fields that sign a policy: the policy itself and what the signature needs."""
    timestamp = format_amz_date(now_ns)
    scope = f"{timestamp[:8]}/{region}/{SERVICE}/{TERMINATOR}"
    fields = {
        "x-amz-algorithm": ALGORITHM,
        "x-amz-credential": f"{credentials.access_key}/{scope}",
        "x-amz-date": timestamp,
    }
    if credentials.session_token is not None:
        fields["x-amz-security-token"] = credentials.session_token
    own = tuple(Condition(EQUAL, name, value) for name, value in fields.items())
    text = render(policy._replace(conditions=(*policy.conditions, *own)))
    key = signing_key(credentials.secret_key, timestamp[:8], region)
    return {**fields, "policy": text, "x-amz-signature": sign_text(key, text)}


def _invalid(why: str) -> S3Error:
    return S3Error("InvalidPolicyDocument", f"The policy of the form is not valid: {why}.")
