"""CORS rules and what browsers ask, on a real server."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

PAGE = "https://app.example.com"
RULE = {
    "AllowedOrigins": [PAGE],
    "AllowedMethods": ["GET", "PUT"],
    "AllowedHeaders": ["*"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 600,
    "ID": "app",
}


@pytest.fixture
def open_bucket(s3: Any, bucket: str) -> str:
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE]})
    return bucket


def ask(server: Any, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.endpoint).netloc, timeout=10)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=names)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
    finally:
        connection.close()


def test_rules_are_put_read_and_taken_away(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=bucket)
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [RULE]})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == [RULE]
    s3.delete_bucket_cors(Bucket=bucket)
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=bucket)


def test_a_preflight_is_answered_by_the_rules(server: Any, open_bucket: str) -> None:
    status, headers, _ = ask(
        server,
        "OPTIONS",
        f"/{open_bucket}/key",
        Origin=PAGE,
        Access_Control_Request_Method="PUT",
        Access_Control_Request_Headers="Content-Type, X-Amz-Date",
    )
    assert status == 200
    assert headers["access-control-allow-origin"] == PAGE
    assert headers["access-control-allow-methods"] == "GET, PUT"
    assert headers["access-control-allow-headers"] == "content-type, x-amz-date"
    assert headers["access-control-max-age"] == "600"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "https://evil.example.org", "Access_Control_Request_Method": "PUT"}, 403),
        ({"Origin": PAGE, "Access_Control_Request_Method": "DELETE"}, 403),
        ({"Origin": PAGE}, 400),
        ({"Access_Control_Request_Method": "PUT"}, 400),
    ],
)
def test_what_no_rule_allows_is_refused(
    server: Any, open_bucket: str, headers: dict[str, str], expected: int
) -> None:
    status, answered, _ = ask(server, "OPTIONS", f"/{open_bucket}/key", **headers)
    assert expected == status
    assert "access-control-allow-origin" not in answered


def test_without_rules_nothing_is_allowed(server: Any, bucket: str) -> None:
    headers = {"Origin": PAGE, "Access_Control_Request_Method": "GET"}
    for path in (f"/{bucket}/key", "/no-such-bucket/key", "/"):
        status, _, body = ask(server, "OPTIONS", path, **headers)
        assert (status, b"CORS is not enabled" in body) == (403, True)


def test_a_page_may_read_its_answer_also_if_it_is_an_error(
    s3: Any, server: Any, open_bucket: str
) -> None:
    s3.put_object(Bucket=open_bucket, Key="key", Body=b"x")
    url = s3.generate_presigned_url("get_object", {"Bucket": open_bucket, "Key": "key"})
    target = url.removeprefix(server.endpoint)
    status, headers, body = ask(server, "GET", target, Origin=PAGE)
    assert (status, body, headers["access-control-allow-origin"]) == (200, b"x", PAGE)
    assert headers["access-control-expose-headers"] == "ETag"
    status, headers, _ = ask(server, "GET", f"/{open_bucket}/key", Origin=PAGE)
    assert (status, headers["access-control-allow-origin"]) == (403, PAGE)
    status, headers, _ = ask(server, "GET", target, Origin="https://evil.example.org")
    assert status == 200
    assert "access-control-allow-origin" not in headers
