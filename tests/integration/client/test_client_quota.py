"""Quotas at services that have them, and at one that does not."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ingot.s3client import (
    ServiceConflictError,
    ServiceDeniedError,
    ServiceNotFoundError,
    ServiceUnsupportedError,
    connect,
)


def test_a_quota_is_set_read_and_cleared(server: Any) -> None:
    with connect(server.endpoint, server.access_key, server.secret_key) as client:
        client.create_bucket("quota-client")
        assert client.get_bucket_quota("quota-client").limit_bytes == 0
        client.set_bucket_quota("quota-client", 1000)
        found = client.get_bucket_quota("quota-client")
        assert (found.limit_bytes, found.quotatype) == (1000, "hard")
        with pytest.raises(ServiceConflictError, match="XMinioAdminBucketQuotaExceeded"):
            client.put_object("quota-client", "key", b"x" * 1001)
        client.set_bucket_quota("quota-client", 0)
        assert client.get_bucket_quota("quota-client").limit_bytes == 0
        with pytest.raises(ServiceNotFoundError) as caught:
            client.set_bucket_quota("none-such", 1)
        assert (caught.value.code, caught.value.fields["BucketName"]) == (
            *("NoSuchBucket",),
            "none-such",
        )
    with (
        connect(server.endpoint, "other", "other") as stranger,
        pytest.raises(ServiceDeniedError, match="InvalidAccessKeyId"),
    ):
        stranger.get_bucket_quota("quota-client")


class PlainS3(BaseHTTPRequestHandler):
    """Takes the admin API's path for a bucket, as services do that know only S3."""

    def do_PUT(self) -> None:
        body = b"<Error><Code>NoSuchBucket</Code><BucketName>minio</BucketName></Error>"
        self.send_response(404)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


def test_a_service_without_quotas_is_told_apart() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), PlainS3) as plain:
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        with (
            connect(f"http://127.0.0.1:{plain.server_port}", "any", "any") as client,
            pytest.raises(ServiceUnsupportedError, match="does not offer this"),
        ):
            client.set_bucket_quota("quota-client", 1000)
        plain.shutdown()
