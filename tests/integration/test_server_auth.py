"""Who gets in: signatures in headers and URLs, clocks, hosts, and the anonymous."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_presigned_urls_work_until_they_are_changed(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="a b+c/ü", Body=b"hello")
    url = s3.generate_presigned_url(
        "get_object",
        Params={"Bucket": bucket, "Key": "a b+c/ü", "ResponseContentType": "text/x y"},
    )

    assert fetch(url) == (200, b"hello")
    for changed in (
        url.replace("X-Amz-Expires=3600", "X-Amz-Expires=3601"),
        url.replace("a%20b", "a%20c"),
        url + "&response-expires=0",
    ):
        status, body = fetch(changed)
        assert (status, b"SignatureDoesNotMatch" in body) == (403, True)
    assert fetch(url, "DELETE")[0] == 403
    assert s3.head_object(Bucket=bucket, Key="a b+c/ü")["ContentLength"] == 5


def test_a_presigned_url_uploads(s3: Any, bucket: str) -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "key"})

    assert fetch(url, "PUT", b"by anybody")[0] == 200

    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"by anybody"


def test_a_presigned_url_below_a_health_path_means_the_object(s3: Any) -> None:
    s3.create_bucket(Bucket="health")
    s3.put_object(Bucket="health", Key="ready", Body=b"an object")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "health", "Key": "ready"})

    assert fetch(url) == (200, b"an object")


def test_an_expired_url_is_denied(
    server: Any, sender_of: Callable[..., Any], bucket: str, s3: Any
) -> None:
    import time

    from ingot.base.secret import Secret
    from ingot.s3.sigv4 import Credentials, presign_query

    def url(age_s: int) -> str:
        query = presign_query(
            Credentials(server.access_key, Secret(server.secret_key)),
            method="GET",
            host=f"127.0.0.1:{server.port}",
            path=f"/{bucket}/key",
            query=[],
            region="us-east-1",
            expires_s=60,
            now_ns=time.time_ns() - age_s * 10**9,
        )
        return f"{server.endpoint}/{bucket}/key?{query}"

    s3.put_object(Bucket=bucket, Key="key", Body=b"x")

    assert fetch(url(0)) == (200, b"x")
    status, body = fetch(url(61))
    assert status == 403
    assert b"Request has expired" in body


@pytest.mark.parametrize("skew_s", [-16 * 60, 16 * 60])
def test_a_clock_that_is_off_is_refused(
    server: Any, sender_of: Callable[..., Any], skew_s: int
) -> None:
    answer = sender_of(server, skew_s=skew_s)("GET", "/")

    assert (answer.status, answer.code) == (403, "RequestTimeTooSkewed")
    assert b"<ServerTime>" in answer.body


@pytest.mark.parametrize("skew_s", [-14 * 60, 14 * 60])
def test_a_clock_that_is_a_little_off_is_not(
    server: Any, sender_of: Callable[..., Any], skew_s: int
) -> None:
    assert sender_of(server, skew_s=skew_s)("GET", "/").status == 200


def test_strangers_and_forgers_are_refused(
    server: Any, signed: Any, new_client: Callable[..., Any], bucket: str
) -> None:
    good = signed.sign("GET", f"/{bucket}", payload_hash="UNSIGNED-PAYLOAD").headers
    forged = good["authorization"]
    last = forged[-1]
    forged = forged[:-1] + ("0" if last != "0" else "1")
    stranger = good["authorization"].replace(server.access_key, "stranger")

    for change, code in (
        ({"authorization": forged}, "SignatureDoesNotMatch"),
        ({"authorization": stranger}, "InvalidAccessKeyId"),
        ({"authorization": "AWS key:signature"}, "InvalidRequest"),
        ({"authorization": "AWS4-HMAC-SHA256 nonsense"}, "AuthorizationHeaderMalformed"),
        ({"x-amz-content-sha256": "0" * 64}, "SignatureDoesNotMatch"),
        ({"x-amz-security-token": "token"}, "AccessDenied"),
        ({"host": "elsewhere"}, "SignatureDoesNotMatch"),
    ):
        answer = signed.send("GET", f"/{bucket}", good | change)
        assert answer.code == code
        assert answer.status in {400, 403}


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/"), ("GET", "/bucket/key"), ("PUT", "/bucket"), ("DELETE", "/bucket/key")],
)
def test_the_anonymous_are_denied(signed: Any, method: str, target: str) -> None:
    answer = signed.send(method, target, {"host": "x", "content-length": "0"})

    assert (answer.status, answer.code) == (403, "AccessDenied")


def test_head_errors_have_no_body(signed: Any, bucket: str) -> None:
    denied = signed.send("HEAD", f"/{bucket}/none", {"host": "x"})
    missing = signed("HEAD", f"/{bucket}/none")

    assert (denied.status, denied.body) == (403, b"")
    assert (missing.status, missing.body) == (404, b"")
    assert missing.headers["x-amz-request-id"]


def test_both_kinds_of_signature_at_once_are_refused(signed: Any, bucket: str) -> None:
    answer = signed("GET", f"/{bucket}", query=[("X-Amz-Algorithm", "AWS4-HMAC-SHA256")])

    assert (answer.status, answer.code) == (400, "InvalidArgument")


def test_virtual_host_style(server: Any, s3: Any, bucket: str, signed: Any) -> None:
    s3.put_object(Bucket=bucket, Key="dir/key", Body=b"by host")
    host = f"{bucket}.s3.test:{server.port}"

    assert signed("GET", "/dir/key", host=host).body == b"by host"
    listed = signed("GET", "/", host=host, query=[("list-type", "2")])
    assert b"<Key>dir/key</Key>" in listed.body
    assert signed("PUT", "/new", b"x", host=host).status == 200
    assert s3.head_object(Bucket=bucket, Key="new")["ContentLength"] == 1
    assert signed("GET", f"/{bucket}/dir/key", host="127.0.0.1").body == b"by host"


def test_a_wrong_secret_is_refused_to_boto3_too(
    server: Any, new_client: Callable[..., Any]
) -> None:
    import dataclasses

    client = new_client(dataclasses.replace(server, secret_key="wrong-secret-key"))

    with pytest.raises(ClientError) as caught:
        client.list_buckets()

    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
