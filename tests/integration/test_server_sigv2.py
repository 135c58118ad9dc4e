"""URLs that boto3 presigns with signature version 2, which is its default for such endpoints."""

from __future__ import annotations

import base64
import hmac
import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest


@pytest.fixture
def presign(server: Any) -> Iterator[Any]:
    """A presigning boto3 client without any configuration."""
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    )
    yield client.generate_presigned_url
    client.close()


def send(
    method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body or None, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_get(presign: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+c/ü", Body=b"hello")
    asked = {"Bucket": bucket, "Key": "a b+c/ü", "ResponseContentType": "text/x y"}
    url = presign("get_object", Params=asked)

    assert "Signature=" in url
    assert "X-Amz-" not in url
    assert send("GET", url) == (200, b"hello")
    for method, changed in (
        ("GET", url.replace("a%20b", "a%20c")),
        ("GET", url.replace("text%2Fx", "text%2Fy")),
        ("GET", f"{url}&response-expires=0"),
        ("DELETE", url),
    ):
        status, answer = send(method, changed)
        assert (status, b"SignatureDoesNotMatch" in answer) == (403, True)
    assert s3.head_object(Bucket=bucket, Key="a b+c/ü")["ContentLength"] == 5


def test_put_with_signed_headers(presign: Any, s3: Any, bucket: str) -> None:
    wanted = {"Bucket": bucket, "Key": "k", "Metadata": {"a": "b"}, "ContentType": "text/x"}
    url = presign("put_object", Params=wanted)

    assert send("PUT", url, b"body", {"content-type": "text/x"})[0] == 403
    assert send("PUT", url, b"body", {"content-type": "text/x", "x-amz-meta-a": "b"})[0] == 200

    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"body"
    assert (found["ContentType"], found["Metadata"]) == ("text/x", {"a": "b"})


def test_other_operations(presign: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")

    status, answer = send("GET", presign("list_objects_v2", Params={"Bucket": bucket}))
    assert (status, b"<Key>k</Key>" in answer) == (200, True)
    where = {"Bucket": bucket, "Key": "k"}
    status, answer = send("POST", presign("create_multipart_upload", Params=where))
    assert (status, b"<UploadId>" in answer) == (200, True)
    assert send("DELETE", presign("delete_object", Params=where))[0] == 204
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_expired_forged_and_doubled_urls_are_refused(
    presign: Any, server: Any, s3: Any, bucket: str
) -> None:
    url = presign("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=-1)
    assert b"Request has expired" in send("GET", url)[1]

    url = presign("get_object", Params={"Bucket": bucket, "Key": "k"})
    for changed, code in (
        (url.replace(server.access_key, "stranger"), b"InvalidAccessKeyId"),
        (url.replace("Signature=", "Signature=x"), b"SignatureDoesNotMatch"),
        (url.replace("Signature=", "Other="), b"AccessDenied"),
        (f"{url}&X-Amz-Algorithm=AWS4-HMAC-SHA256", b"InvalidArgument"),
        (f"{url}&x-amz-security-token=t", b"InvalidToken"),
    ):
        status, answer = send("GET", changed)
        assert (status >= 400, b"<Code>%s</Code>" % code in answer) == (True, True), answer


def test_virtual_host_style(server: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"by host")
    expires = int(time.time()) + 60
    text = f"GET\n\n\n{expires}\n/{bucket}/k"
    digest = hmac.digest(server.secret_key.encode(), text.encode(), "sha1")
    signature = quote(base64.b64encode(digest).decode(), safe="")
    query = f"AWSAccessKeyId={server.access_key}&Expires={expires}&Signature={signature}"
    host = {"host": f"{bucket}.s3.test:{server.port}"}

    assert send("GET", f"{server.endpoint}/k?{query}", headers=host) == (200, b"by host")
