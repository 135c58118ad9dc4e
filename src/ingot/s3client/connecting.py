"""One call that makes a client: what a program needs that has no aliases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingot.base.errors import UsageError
from ingot.base.secret import Secret
from ingot.s3.sigv4 import Credentials
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Addressing, Endpoint
from ingot.transport.options import TransportOptions
from ingot.transport.pool import Transport


@contextmanager
def connect(
    url: str,
    access_key: str = "",
    secret_key: str = "",
    *,
    session_token: str | None = None,
    region: str = "us-east-1",
    addressing: Addressing = "auto",
    options: TransportOptions | None = None,
) -> Iterator[S3Client]:
    """Yield a client of one S3 service, and close its connections at the end.

    Nothing is sent until an operation is called. The client is safe to share between threads, not
    between processes.

    Args:
        url: scheme, host and port of the service.
        access_key: empty for requests that are not signed, as for public buckets.
        secret_key: the secret that belongs to it.
        session_token: of temporary credentials.
        region: what to sign for until the service says otherwise.
        addressing: where the bucket's name goes: `path`, `virtual` (in the host's name), or `auto`.
        options: time-outs, retries, TLS, proxies and rate limits.

    Raises:
        UsageError: the URL is no endpoint, or half of a pair of keys is missing.
    """
    if bool(access_key) != bool(secret_key):
        raise UsageError(
            "an access key and a secret key belong together",
            hint="give both, or neither for requests that are not signed",
        )
    credentials = None
    if access_key:
        credentials = Credentials(access_key, Secret(secret_key), session_token)
    with Transport(options) as transport:
        yield S3Client(
            Endpoint.parse(url),
            credentials,
            transport=transport,
            region=region,
            addressing=addressing,
        )
