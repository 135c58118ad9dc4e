"""Presigned URLs of signature version 2; botocore is the oracle."""

from __future__ import annotations

import http.client
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ingot.base.secret import Secret
from ingot.s3.errors import S3Error
from ingot.s3.sigv2 import check_presigned_v2, parse_presigned_v2, verify_presigned_v2

NOW_S = 1_795_492_000
SECRET = "the/secret"


def presign(method: str, url: str, headers: dict[str, str]) -> list[tuple[str, str]]:
    request = AWSRequest(method=method, url=url, headers=headers)
    with patch("time.time", lambda: float(NOW_S)):
        HmacV1QueryAuth(Credentials("the-key", SECRET), expires=60).add_auth(request)
    return parse_qsl(urlsplit(request.url).query, keep_blank_values=True)


def verify(method: str, url: str, query: Any, headers: dict[str, str]) -> None:
    claim = parse_presigned_v2(query, headers)
    check_presigned_v2(claim, (), now_ns=NOW_S * 10**9)
    verify_presigned_v2(
        claim,
        Secret(SECRET),
        method=method,
        resources=[urlsplit(url).path],
        query=query,
        headers=headers,
    )


@pytest.mark.parametrize(
    ("method", "url", "headers"),
    [
        ("GET", "http://h/bucket/a%20b%2Bc/%C3%BC", {}),
        ("GET", "http://h/bucket/k?response-content-type=text%2Fx%20y&versionId=null&x=y", {}),
        ("GET", "http://h/bucket?uploads", {}),
        ("PUT", "http://h/bucket/k?partNumber=2&uploadId=abc", {"content-md5": "b"}),
        ("PUT", "http://h/bucket/k", {"content-type": "text/x", "x-amz-meta-b": "2"}),
        ("PUT", "http://h/bucket/k", {"x-amz-meta-b": " 2 ", "x-amz-meta-a": "1", "other": "x"}),
    ],
)
def test_what_botocore_signs_is_accepted(method: str, url: str, headers: dict[str, str]) -> None:
    query = presign(method, url, headers)

    verify(method, url, query, headers)

    for changed in (
        ("POST", url, query, headers),
        (method, f"{url.partition('?')[0]}x", query, headers),
        (method, url, [*query, ("acl", "")], headers),
        (method, url, query, headers | {"x-amz-acl": "public-read"}),
        (method, url, query, headers | {"content-type": "text/y"}),
        (method, url, [("Expires", "1") if n == "Expires" else (n, v) for n, v in query], headers),
    ):
        with pytest.raises(S3Error, match=r"signature|expired"):
            verify(*changed)


def test_header_values_are_signed_as_utf8() -> None:
    query = presign("PUT", "http://h/b/k", {"x-amz-meta-a": "ü"})

    verify("PUT", "http://h/b/k", query, {"x-amz-meta-a": "ü".encode().decode("latin-1")})
    with pytest.raises(S3Error, match="signature"):
        verify("PUT", "http://h/b/k", query, {"x-amz-meta-a": "\xff"})


@pytest.mark.parametrize(
    "query",
    [
        [("AWSAccessKeyId", "k"), ("Signature", "s")],
        [("AWSAccessKeyId", "k"), ("Signature", "s"), ("Expires", "1"), ("Expires", "2")],
        [("AWSAccessKeyId", "k"), ("Signature", "s"), ("Expires", "-1")],
        [("AWSAccessKeyId", "k"), ("Signature", "s"), ("Expires", "1" * 13)],
        [("AWSAccessKeyId", "k"), ("Signature", "s"), ("Expires", "²")],
    ],
)
def test_malformed_urls_are_denied(query: list[tuple[str, str]]) -> None:
    with pytest.raises(S3Error) as caught:
        parse_presigned_v2(query, {})
    assert (caught.value.code, caught.value.status) == ("AccessDenied", http.client.FORBIDDEN)


def test_expiry_and_what_is_not_covered() -> None:
    query = [("AWSAccessKeyId", "k"), ("Signature", "ü"), ("Expires", str(NOW_S))]
    claim = parse_presigned_v2(query, {})

    check_presigned_v2(claim, {"uploadId", "list-type"}, now_ns=NOW_S * 10**9)
    with pytest.raises(S3Error, match="expired"):
        check_presigned_v2(claim, (), now_ns=(NOW_S + 1) * 10**9)
    with pytest.raises(S3Error, match="does not cover attributes"):
        check_presigned_v2(claim, {"attributes"}, now_ns=NOW_S * 10**9)
    with pytest.raises(S3Error, match="signature"):
        verify_presigned_v2(
            claim, Secret("s"), method="GET", resources=["/"], query=query, headers={}
        )


def test_chunks_signed_with_version_4_are_refused() -> None:
    query = [("AWSAccessKeyId", "k"), ("Signature", "s"), ("Expires", "1")]

    with pytest.raises(S3Error, match="chunks"):
        parse_presigned_v2(query, {"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})
