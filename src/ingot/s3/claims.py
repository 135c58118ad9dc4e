"""What a signed request claims, and whether the claim holds: the server's half of SigV4.

Source: Amazon S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import functools
import hmac
import re
from collections.abc import Mapping
from typing import NamedTuple

from ingot.base.limits import CLOCK_SKEW_S, PRESIGN_EXPIRY_S_MAX
from ingot.base.secret import Secret
from ingot.s3.dates import (
    NS_PER_S,
    format_amz_date,
    format_iso8601,
    parse_amz_date,
    parse_http_date,
)
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import (
    ALGORITHM,
    SERVICE,
    TERMINATOR,
    UNSIGNED_PAYLOAD,
    Query,
    canonical_request,
    signature,
    signing_key,
)

SIGNED_HEADERS_MAX = 128
_CREDENTIALS_REMEMBERED_MAX = 1024
_CREDENTIAL_REMEMBERED_LENGTH_MAX = 256

_SIGNED_CHUNKS = "STREAMING-AWS4-"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([^,\s]+) *, *SignedHeaders=([^,\s]+) *, *Signature=(\S+)"
)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Claim(NamedTuple):
    """Who a request says it is from, and the proof it offers.

    Attributes:
        access_key: the access key id.
        date: the day of the credential scope, `20261124`.
        region: that of the credential scope.
        signed_headers: lower-case names in the order of the request.
        signature: 64 hexadecimal digits.
        timestamp: the request's instant as signed, `20261124T020500Z`.
        payload_hash: the value that stands for the body: a SHA-256, `UNSIGNED-PAYLOAD` or
            `STREAMING-…`.
        expires_s: how long a presigned URL is valid; None for a signed header.
        session_token: that of temporary credentials.
    """

    access_key: str
    date: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    payload_hash: str
    expires_s: int | None = None
    session_token: str | None = None

    @property
    def scope(self) -> str:
        """The credential scope, as signed."""
        return f"{self.date}/{self.region}/{SERVICE}/{TERMINATOR}"


class Unsigned(NamedTuple):
    """A request without a signature claims nothing.

    Attributes:
        payload_hash: as that of a `Claim`.
    """

    payload_hash: str


def parse_unsigned(headers: Mapping[str, str]) -> Unsigned:
    """Read a request without a signature.

    Raises:
        S3Error: `InvalidRequest` for a body whose chunks would have to be signed.
    """
    payload_hash = headers.get("x-amz-content-sha256", UNSIGNED_PAYLOAD)
    if payload_hash.startswith(_SIGNED_CHUNKS):
        raise S3Error("InvalidRequest", "A request without a signature cannot sign chunks.")
    return Unsigned(payload_hash)


def parse_authorization(headers: Mapping[str, str]) -> Claim:
    """Read the claim of a request with an Authorization header.

    Args:
        headers: by lower-case name; `authorization` is among them.

    Raises:
        S3Error: `AuthorizationHeaderMalformed`, `InvalidRequest` for another kind of signature or
            a missing `x-amz-content-sha256`, `AccessDenied` without a date.
    """
    value = headers["authorization"]
    match = _AUTHORIZATION.fullmatch(value)
    if match is None:
        if value.startswith(ALGORITHM):
            raise S3Error("AuthorizationHeaderMalformed")
        raise S3Error(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use"
            " AWS4-HMAC-SHA256.",
        )
    credential, names, claimed = match.groups()
    access_key, date, region = parse_credential(credential, "AuthorizationHeaderMalformed")
    if not _SIGNATURE.fullmatch(claimed):
        raise S3Error(
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the Signature is not valid.",
        )
    payload_hash = headers.get("x-amz-content-sha256")
    if payload_hash is None:
        raise S3Error(
            "InvalidRequest", "Missing required header for this request: x-amz-content-sha256"
        )
    signed_headers = tuple(names.split(";", SIGNED_HEADERS_MAX))
    timestamp = headers.get("x-amz-date") or _timestamp_of_date(headers.get("date"))
    token = headers.get("x-amz-security-token")
    return Claim(
        access_key,
        date,
        region,
        signed_headers,
        claimed,
        timestamp,
        payload_hash,
        session_token=token,
    )


def parse_presigned(query: Query, headers: Mapping[str, str]) -> Claim:
    """Read the claim of a presigned URL.

    Args:
        query: decoded, `X-Amz-Algorithm` is in it.
        headers: by lower-case name.

    Raises:
        S3Error: `AuthorizationQueryParametersError`.
    """
    code = "AuthorizationQueryParametersError"
    wanted: dict[str, str] = {}
    for name, value in query:
        if name.startswith("X-Amz-"):
            if name in wanted:
                raise S3Error(code, f"{name} must be given once.")
            wanted[name] = value
    try:
        credential = wanted["X-Amz-Credential"]
        claimed, timestamp = wanted["X-Amz-Signature"], wanted["X-Amz-Date"]
        names, expires = wanted["X-Amz-SignedHeaders"], wanted["X-Amz-Expires"]
    except KeyError as error:
        raise S3Error(
            code,
            "Query-string authentication version 4 requires the X-Amz-Algorithm,"
            " X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and"
            " X-Amz-Expires parameters.",
        ) from error
    if wanted.get("X-Amz-Algorithm") != ALGORITHM:
        raise S3Error(code, f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    access_key, date, region = parse_credential(credential, code)
    signed_headers = tuple(names.split(";", SIGNED_HEADERS_MAX))
    if not _SIGNATURE.fullmatch(claimed):
        raise S3Error(code, "X-Amz-Signature is not valid.")
    # A client may bind the body to the URL by signing the header, as with a plain signature.
    payload_hash = wanted.get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD)
    if not payload_hash.isascii():
        raise S3Error(code, "X-Amz-Content-Sha256 is not valid.")
    if "x-amz-content-sha256" in signed_headers:
        payload_hash = headers.get("x-amz-content-sha256", payload_hash)
    return Claim(
        access_key,
        date,
        region,
        signed_headers,
        claimed,
        timestamp,
        payload_hash,
        _parse_expires(expires),
        wanted.get("X-Amz-Security-Token"),
    )


def check_claim(claim: Claim, headers: Mapping[str, str], *, region: str, now_ns: int) -> None:
    """Refuse a claim that no signature could make good: wrong time, region or headers.

    Args:
        claim: from `parse_authorization` or `parse_presigned`.
        headers: all of the request's, by lower-case name.
        region: the server's; empty accepts every region.
        now_ns: nanoseconds since the epoch.

    Raises:
        S3Error: `RequestTimeTooSkewed`, `AccessDenied` (expired, or headers left unsigned),
            `AuthorizationHeaderMalformed` or `AuthorizationQueryParametersError`.
    """
    at_s = parse_amz_date(claim.timestamp)
    malformed = (
        "AuthorizationHeaderMalformed"
        if claim.expires_s is None
        else "AuthorizationQueryParametersError"
    )
    if at_s is None:
        if claim.expires_s is None:
            raise _missing_date()
        raise S3Error(malformed, "X-Amz-Date must be in the ISO8601 Long Format.")
    if claim.timestamp[:8] != claim.date:
        raise S3Error(
            malformed,
            f'Invalid credential date "{claim.date}". This date is not the same as the date of'
            f' the request: "{claim.timestamp[:8]}".',
        )
    if region and claim.region != region:
        raise S3Error(
            malformed,
            f"The authorization is malformed; the region '{claim.region}' is wrong; expecting"
            f" '{region}'",
            Region=region,
        )
    _check_time(claim, at_s, now_ns)
    _check_signed_headers(claim, headers)


def verify(
    claim: Claim,
    secret_key: Secret,
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    other_query: str | None = None,
) -> None:
    """Check a claim's signature with the secret of its access key, in constant time.

    Args:
        claim: passed `check_claim`.
        secret_key: of `claim.access_key`.
        method: the HTTP method.
        path: from `canonical_path`.
        query: from `canonical_query`.
        headers: by lower-case name.
        other_query: another form of the query that will do, from `canonical_query_in_order`.

    Raises:
        S3Error: `SignatureDoesNotMatch`.
    """
    key = signing_key(secret_key, claim.date, claim.region)
    for form in (query, other_query):
        if form is None:
            continue
        canonical = canonical_request(
            method=method,
            path=path,
            query=form,
            headers=headers,
            signed_headers=claim.signed_headers,
            payload_hash=claim.payload_hash,
        )
        expected = signature(key, claim.timestamp, claim.scope, canonical)
        if hmac.compare_digest(expected, claim.signature):
            return
    raise S3Error("SignatureDoesNotMatch", AWSAccessKeyId=claim.access_key)


def parse_credential(credential: str, code: str) -> tuple[str, str, str]:
    """Read a credential: access key, date and region; its errors have the given code."""
    # Only what may be one is remembered: whoever sends garbage must not fill memory with it.
    short = len(credential) <= _CREDENTIAL_REMEMBERED_LENGTH_MAX
    return (_remembered_credential if short else _split_credential)(credential, code)


def _split_credential(credential: str, code: str) -> tuple[str, str, str]:
    # An access key may itself hold slashes, so the scope is cut off from the right.
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not parts[0]:
        raise S3Error(
            code,
            "The Credential is mal-formed; expecting"
            ' "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        )
    access_key, date, region, service, terminator = parts
    if service != SERVICE or terminator != TERMINATOR:
        raise S3Error(
            code, f'The Credential must end in "/{SERVICE}/{TERMINATOR}", not "{service}/…".'
        )
    return access_key, date, region


# The requests of a client carry the same one all day.
_remembered_credential = functools.lru_cache(_CREDENTIALS_REMEMBERED_MAX)(_split_credential)


def _parse_expires(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > len(str(PRESIGN_EXPIRY_S_MAX)):
        raise S3Error(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be a number of seconds from 1 to {PRESIGN_EXPIRY_S_MAX}.",
        )
    expires_s = int(text)
    if not 1 <= expires_s <= PRESIGN_EXPIRY_S_MAX:
        raise S3Error(
            "AuthorizationQueryParametersError",
            f"X-Amz-Expires must be a number of seconds from 1 to {PRESIGN_EXPIRY_S_MAX}.",
        )
    return expires_s


def _timestamp_of_date(date: str | None) -> str:
    if date is None:
        raise _missing_date()
    seconds = parse_amz_date(date)
    if seconds is None:
        seconds = parse_http_date(date)
    if seconds is None:
        raise _missing_date()
    return format_amz_date(seconds * NS_PER_S)


def _missing_date() -> S3Error:
    return S3Error("AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")


def _check_time(claim: Claim, at_s: int, now_ns: int) -> None:
    now_s = now_ns // NS_PER_S
    if claim.expires_s is None:
        if abs(now_s - at_s) > CLOCK_SKEW_S:
            raise S3Error(
                "RequestTimeTooSkewed",
                RequestTime=claim.timestamp,
                ServerTime=format_iso8601(now_ns),
                MaxAllowedSkewMilliseconds=str(CLOCK_SKEW_S * 1000),
            )
        return
    if at_s - now_s > CLOCK_SKEW_S:
        raise S3Error("AccessDenied", "Request is not valid yet")
    if now_s - at_s > claim.expires_s:
        raise S3Error(
            "AccessDenied",
            "Request has expired",
            Expires=format_iso8601((at_s + claim.expires_s) * NS_PER_S),
            ServerTime=format_iso8601(now_ns),
        )


def _check_signed_headers(claim: Claim, headers: Mapping[str, str]) -> None:
    signed = claim.signed_headers
    missing = [name for name in signed if name not in headers]
    if missing or "host" not in signed:
        names = ", ".join(missing or ["host"])
        raise S3Error("SignatureDoesNotMatch", f"Headers that must be signed are missing: {names}.")
    unsigned = [name for name in headers if name.startswith("x-amz-") and name not in signed]
    if claim.expires_s is not None and "x-amz-content-sha256" in unsigned:
        unsigned.remove("x-amz-content-sha256")
    if unsigned:
        raise S3Error(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(unsigned),
        )
