"""Who asks, and may they: SigV4 in the header or in the query, then the identity's rights."""

from __future__ import annotations

from ingot.iam.identities import Identity
from ingot.s3.claims import Claim, check_claim, parse_authorization, parse_presigned, verify
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import canonical_path, canonical_query
from ingot.server.request import Request
from ingot.server.service import Service


def is_signed(request: Request) -> bool:
    """Tell whether the request comes with a signature, good or bad."""
    return "authorization" in request.headers or "X-Amz-Algorithm" in request.parameters


def authenticate(request: Request, service: Service) -> Identity:
    """Verify the request's signature, and keep its claim in the request.

    Raises:
        S3Error: `AccessDenied` for the anonymous and the expired, `InvalidAccessKeyId`,
            `SignatureDoesNotMatch`, `RequestTimeTooSkewed`, and the malformed ones.
    """
    claim = request.claim = _claim(request)
    check_claim(claim, request.headers, region=service.region, now_ns=service.clock.now_ns())
    if claim.session_token is not None:
        raise S3Error("InvalidToken")
    identity = service.identities.find(claim.access_key)
    if identity is None:
        raise S3Error("InvalidAccessKeyId", AWSAccessKeyId=claim.access_key)
    verify(
        claim,
        identity.secret_key,
        method=request.method,
        path=canonical_path(request.raw_path),
        query=canonical_query(request.query),
        headers=request.headers,
    )
    return identity


def authorize(request: Request, identity: Identity) -> None:
    """Check that the identity may do the request's operation.

    Raises:
        S3Error: `AccessDenied`.
    """
    if identity.is_root:
        return
    resource = f"{request.bucket}/{request.key}" if request.key else request.bucket
    if not identity.may(request.operation.action, f"arn:aws:s3:::{resource}"):
        raise S3Error("AccessDenied")


def _claim(request: Request) -> Claim:
    in_query = "X-Amz-Algorithm" in request.parameters
    if "authorization" in request.headers:
        if in_query:
            raise S3Error(
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the"
                " Authorization header should be specified.",
            )
        return parse_authorization(request.headers)
    if in_query:
        return parse_presigned(request.query, request.headers)
    if "AWSAccessKeyId" in request.parameters:
        raise S3Error(
            "InvalidRequest",
            "The authorization mechanism you have provided is not supported. Please use"
            " AWS4-HMAC-SHA256.",
        )
    raise S3Error("AccessDenied")
