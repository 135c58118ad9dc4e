"""May they: policies of identities and of buckets, held against what a request needs."""

from __future__ import annotations

import functools

from ingot.iam.policies import Policy, parse_bucket_policy
from ingot.s3.errors import S3Error
from ingot.server.permissions import Need, context_of, needs_of, versioned
from ingot.server.request import Request
from ingot.server.service import Service
from ingot.store.errors import NoSuchBucketError

POLICY_SETTING = "policy"
_POLICIES_CACHED_MAX = 1024


def authorize(request: Request, service: Service) -> None:
    """Check that who sent a request may have it done.

    Raises:
        S3Error: `AccessDenied`, and what is wrong with a copy source or tags.
    """
    if request.identity.is_root:
        return
    if not request.identity.name and request.operation.family == POLICY_SETTING:
        # A policy that gives everybody everything must not give itself away.
        raise S3Error("AccessDenied")
    if not _permits(request, service, needs_of(request)):
        raise S3Error("AccessDenied")


def permits(
    request: Request, service: Service, action: str, key: str, version_id: str | None = None
) -> bool:
    """Tell whether a request may do something to one more key of its bucket."""
    if request.identity.is_root:
        return True
    return _permits(request, service, [Need(versioned(action, version_id), request.bucket, key)])


def _permits(request: Request, service: Service, needs: list[Need]) -> bool:
    identity = request.identity
    context = context_of(request, identity, service.clock.now_ns())
    return all(
        identity.may(need.action, need.resource, context, policy_of(need.bucket, service))
        for need in needs
    )


def policy_of(bucket: str, service: Service) -> Policy | None:
    """Return the policy of a bucket, if it has one."""
    if not bucket:
        return None
    try:
        text = service.store.buckets.get(bucket).settings.get(POLICY_SETTING)
    except NoSuchBucketError:
        return None
    return None if text is None else _parse(text, bucket)


@functools.lru_cache(maxsize=_POLICIES_CACHED_MAX)
def _parse(text: str, bucket: str) -> Policy:
    return parse_bucket_policy(text.encode(), bucket)
