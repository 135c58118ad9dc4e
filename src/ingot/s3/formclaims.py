"""Who signed a form, and the proof that is offered: signature version 4 or 2 of its policy. Pure.

Source: Amazon S3 API reference, "Authenticating Requests: Browser-Based Uploads Using POST".
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

from ingot.base.secret import Secret
from ingot.s3.claims import Claim, parse_credential
from ingot.s3.dates import parse_amz_date
from ingot.s3.errors import S3Error
from ingot.s3.sigv2 import PresignedV2
from ingot.s3.sigv4 import ALGORITHM, UNSIGNED_PAYLOAD, sign_text, signing_key

_FIELDS_V4 = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_FIELDS_V2 = ("awsaccesskeyid", "signature")
_POLICY = "policy"


def missing_field(name: str) -> S3Error:
    """Return the error of a form that lacks a field, or has it behind the file."""
    return S3Error(
        "InvalidArgument",
        f"Bucket POST must contain a field named '{name}'. If it is specified, please check the"
        " order of the fields.",
        ArgumentName=name,
        ArgumentValue="",
    )


def parse_form_claim(fields: Mapping[str, str]) -> Claim | PresignedV2 | None:
    """Return what the fields of a form claim, `None` where they claim nothing.

    Args:
        fields: by lower-case name.

    Raises:
        S3Error: `InvalidArgument` for a claim that is not whole, or without a policy.
    """
    wanted = _FIELDS_V2 if "awsaccesskeyid" in fields else _FIELDS_V4
    signs = any(name in fields for name in wanted)
    if not signs and _POLICY not in fields:
        return None
    for name in (_POLICY, *wanted):
        if not fields.get(name):
            raise missing_field(name)
    token = fields.get("x-amz-security-token")
    if wanted is _FIELDS_V2:
        return PresignedV2(
            fields["awsaccesskeyid"], fields["signature"], "", UNSIGNED_PAYLOAD, token
        )
    if fields["x-amz-algorithm"] != ALGORITHM:
        raise _wrong("x-amz-algorithm", fields, f"X-Amz-Algorithm only supports {ALGORITHM}")
    access_key, date, region = parse_credential(fields["x-amz-credential"], "InvalidArgument")
    timestamp = fields["x-amz-date"]
    if parse_amz_date(timestamp) is None or timestamp[:8] != date:
        raise _wrong("x-amz-date", fields, "X-Amz-Date is not that of the credential.")
    proof = fields["x-amz-signature"]
    return Claim(
        access_key, date, region, (), proof, timestamp, UNSIGNED_PAYLOAD, session_token=token
    )


def verify_form(
    claim: Claim | PresignedV2, secret_key: Secret, policy: str, *, region: str
) -> None:
    """Check the signature of a form's policy with the secret of its access key.

    Args:
        claim: of the form.
        secret_key: of `claim.access_key`.
        policy: as the form carries it.
        region: the server's; empty accepts every region.

    Raises:
        S3Error: `SignatureDoesNotMatch`, `InvalidArgument` for another region.
    """
    if isinstance(claim, PresignedV2):
        digest = hmac.digest(secret_key.reveal().encode(), policy.encode(), "sha1")
        right = base64.b64encode(digest)
    else:
        if region and claim.region != region:
            raise S3Error(
                "InvalidArgument",
                f"The region '{claim.region}' is wrong; expecting '{region}'",
                ArgumentName="x-amz-credential",
                Region=region,
            )
        right = sign_text(signing_key(secret_key, claim.date, claim.region), policy).encode()
    if not hmac.compare_digest(right, claim.signature.encode()):
        raise S3Error("SignatureDoesNotMatch", AWSAccessKeyId=claim.access_key)


def _wrong(name: str, fields: Mapping[str, str], message: str) -> S3Error:
    return S3Error(
        "InvalidArgument", message, ArgumentName=name, ArgumentValue=fields.get(name, "")
    )
