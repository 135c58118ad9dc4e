"""The policy of a bucket: who else may do what with it."""

from __future__ import annotations

from ingot.iam.policies import POLICY_BYTES_MAX, PolicyError, parse_bucket_policy
from ingot.s3.documents.policy import render_status
from ingot.s3.errors import S3Error
from ingot.server.authorization import POLICY_SETTING
from ingot.server.body import read_document
from ingot.server.request import Request
from ingot.server.response import Response, document, empty, header
from ingot.server.service import Service


async def get_bucket_policy(request: Request, service: Service) -> Response:
    """Answer the policy as it was put."""
    body = _policy_text(request, service).encode()
    return Response(
        200,
        [(b"content-type", b"application/json"), header("content-length", str(len(body)))],
        body,
    )


async def put_bucket_policy(request: Request, service: Service) -> Response:
    """Replace the policy."""
    service.store.buckets.get(request.bucket)
    body = await read_document(request, size_bytes_max=POLICY_BYTES_MAX)
    try:
        parse_bucket_policy(body, request.bucket)
    except PolicyError as error:
        hint = f" ({error.hint})" if error.hint else ""
        raise S3Error("MalformedPolicy", f"{error.message}{hint}.") from error
    await service.store.buckets.set_setting(request.bucket, POLICY_SETTING, body.decode())
    return empty(204)


async def delete_bucket_policy(request: Request, service: Service) -> Response:
    """Take the policy away."""
    await service.store.buckets.set_setting(request.bucket, POLICY_SETTING, None)
    return empty(204)


async def get_bucket_policy_status(request: Request, service: Service) -> Response:
    """Answer whether the policy gives anything to everybody without a condition."""
    policy = parse_bucket_policy(_policy_text(request, service).encode(), request.bucket)
    return document(render_status(is_public=policy.is_public))


def _policy_text(request: Request, service: Service) -> str:
    text = service.store.buckets.get(request.bucket).settings.get(POLICY_SETTING)
    if text is None:
        raise S3Error("NoSuchBucketPolicy")
    return text
