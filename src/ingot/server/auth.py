"""Who asks: SigV4 in header or query, SigV2 in the query, or nobody who says so."""

from __future__ import annotations

from collections.abc import Sequence

from ingot.iam.identities import ANONYMOUS, Identity
from ingot.s3.claims import (
    Claim,
    Unsigned,
    check_claim,
    parse_authorization,
    parse_presigned,
    parse_unsigned,
    verify,
)
from ingot.s3.errors import S3Error
from ingot.s3.sigv2 import (
    ACCESS_KEY_PARAMETER,
    PresignedV2,
    check_presigned_v2,
    parse_presigned_v2,
    verify_presigned_v2,
)
from ingot.s3.sigv4 import canonical_path, canonical_query, canonical_query_in_order
from ingot.server.handlers.common import OWNER
from ingot.server.request import Request
from ingot.server.routing import bucket_of_host
from ingot.server.service import Service

_EXPECTED_OWNER_HEADERS = (
    "x-amz-expected-bucket-owner",
    "x-amz-source-expected-bucket-owner",
)
_QUERY_FORMS = frozenset({"X-Amz-Algorithm", ACCESS_KEY_PARAMETER})


def is_signed(request: Request) -> bool:
    """Tell whether the request comes with a signature, good or bad."""
    return "authorization" in request.headers or not _QUERY_FORMS.isdisjoint(request.parameters)


def authenticate(request: Request, service: Service, *, region: str | None = None) -> Identity:
    """Verify the request's signature, and keep its claim in the request.

    Args:
        request: routed.
        service: knows the keys.
        region: what it must be signed for instead of the server's region; empty for any.

    Raises:
        S3Error: `AccessDenied` for the expired, `InvalidAccessKeyId`, `SignatureDoesNotMatch`,
            `RequestTimeTooSkewed`, and the malformed ones.
    """
    claim = request.claim = _claim(request)
    if isinstance(claim, Unsigned):
        return ANONYMOUS
    now_ns = service.clock.now_ns()
    if isinstance(claim, PresignedV2):
        check_presigned_v2(claim, request.operation.subresource, now_ns=now_ns)
    else:
        region = service.region if region is None else region
        check_claim(claim, request.headers, region=region, now_ns=now_ns)
    if claim.session_token is not None:
        raise S3Error("InvalidToken")
    identity = service.identities.find(claim.access_key)
    if identity is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
    if isinstance(claim, PresignedV2):
        verify_presigned_v2(
            claim,
            identity.secret_key,
            method=request.method,
            resources=_resources(request, service.domains),
            query=request.query,
            headers=request.headers,
        )
    else:
        verify(
            claim,
            identity.secret_key,
            method=request.method,
            path=canonical_path(request.raw_path),
            query=canonical_query(request.query),
            headers=request.headers,
            other_query=canonical_query_in_order(request.query) if request.query else None,
        )
    return identity


def check_expected_owner(request: Request) -> None:
    """Compare the owner that a request expects its buckets to have with the one they have.

    Raises:
        S3Error: `AccessDenied`.
    """
    for name in _EXPECTED_OWNER_HEADERS:
        if request.headers.get(name, OWNER.id) != OWNER.id:
            raise S3Error("AccessDenied", f"The bucket does not belong to the owner in {name}.")


def _claim(request: Request) -> Claim | PresignedV2 | Unsigned:
    forms = _QUERY_FORMS.intersection(request.parameters)
    if len(forms) + ("authorization" in request.headers) > 1:
        raise S3Error(
            "InvalidArgument",
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, the"
            " Signature query string parameter or the Authorization header should be specified.",
        )
    if "authorization" in request.headers:
        return parse_authorization(request.headers)
    if ACCESS_KEY_PARAMETER in forms:
        return parse_presigned_v2(request.query, request.headers)
    if forms:
        return parse_presigned(request.query, request.headers)
    return parse_unsigned(request.headers)


def _resources(request: Request, domains: Sequence[str]) -> list[str]:
    """Return what signature version 2 may have covered as the request's path."""
    path = request.raw_path.decode("latin-1")
    if domains and bucket_of_host(request.headers.get("host", ""), domains) is not None:
        path = f"/{request.bucket}{path}"
    if request.key or not request.bucket:
        return [path]
    return [f"/{request.bucket}", f"/{request.bucket}/"]
