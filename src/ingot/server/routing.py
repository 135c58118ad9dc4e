"""What a request is about: bucket and key from path or host name, operation from the table."""

from __future__ import annotations

from collections.abc import Sequence

from ingot.base.limits import BUCKET_NAME_LENGTH_MAX
from ingot.s3.errors import S3Error
from ingot.s3.names import check_key, decode_path, split_path
from ingot.s3.operations import Operation, Scope, match
from ingot.server.request import Request


def route(request: Request, domains: Sequence[str]) -> Operation:
    """Set the request's bucket and key, and return its operation.

    Args:
        request: the request.
        domains: those whose subdomains are buckets (virtual-host style).

    Raises:
        S3Error: `InvalidURI`, `KeyTooLongError`, `MethodNotAllowed`, `NotImplemented`, …
    """
    locate(request, domains)
    return match(request.method, _scope(request), request.parameters, request.headers)


def locate(request: Request, domains: Sequence[str]) -> None:
    """Set the request's bucket and key.

    Args:
        request: the request.
        domains: as for `route`.

    Raises:
        S3Error: `InvalidURI`, `KeyTooLongError`, …
    """
    path = decode_path(request.raw_path)
    if not path.startswith("/"):
        raise S3Error("InvalidURI")
    bucket = bucket_of_host(request.headers.get("host", ""), domains) if domains else None
    if bucket is None:
        request.bucket, request.key = split_path(path)
    else:
        request.bucket, request.key = bucket, path[1:]
    if len(request.bucket) > BUCKET_NAME_LENGTH_MAX or "\0" in request.bucket:
        raise S3Error("InvalidBucketName", BucketName=request.bucket[:BUCKET_NAME_LENGTH_MAX])
    if request.key:
        check_key(request.key)


def bucket_of_host(host: str, domains: Sequence[str]) -> str | None:
    """Return the bucket that a Host header names as a subdomain of one of the domains."""
    name = host.lower()
    if not name.endswith("]"):  # an IPv6 address without a port
        name = name.partition(":")[0]
    for domain in domains:
        if name.endswith(domain) and name[-len(domain) - 1 : -len(domain)] == ".":
            return name[: -len(domain) - 1]
    return None


def _scope(request: Request) -> Scope:
    if request.key:
        return "object"
    return "bucket" if request.bucket else "service"
