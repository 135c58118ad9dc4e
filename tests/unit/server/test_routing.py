from typing import Any

import pytest

from ingot.s3.errors import S3Error
from ingot.server.request import Message, Request
from ingot.server.routing import bucket_of_host, route


async def no_body() -> Message:
    raise AssertionError("nothing reads the body here")


def request(method: str, path: str, *headers: tuple[str, str]) -> Request:
    raw_path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "method": method,
        "raw_path": raw_path.encode("latin-1"),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    return Request(scope, no_body)


@pytest.mark.parametrize(
    ("method", "path", "operation", "bucket", "key"),
    [
        ("GET", "/", "ListBuckets", "", ""),
        ("PUT", "/bucket", "CreateBucket", "bucket", ""),
        ("GET", "/bucket/", "ListObjects", "bucket", ""),
        ("GET", "/bucket?list-type=2", "ListObjectsV2", "bucket", ""),
        ("PUT", "/bucket/key?x-id=PutObject", "PutObject", "bucket", "key"),
        ("GET", "/bucket/a%20b//c/../%C3%A9", "GetObject", "bucket", "a b//c/../é"),
        ("GET", "/bucket/a+b", "GetObject", "bucket", "a+b"),
        ("POST", "/bucket?delete", "DeleteObjects", "bucket", ""),
        ("PUT", "/bucket/key?partNumber=1&uploadId=u", "UploadPart", "bucket", "key"),
    ],
)
def test_paths(method: str, path: str, operation: str, bucket: str, key: str) -> None:
    asked = request(method, path)

    assert route(asked, ()).name == operation
    assert (asked.bucket, asked.key) == (bucket, key)


@pytest.mark.parametrize(
    ("host", "path", "bucket", "key"),
    [
        ("photos.s3.test", "/", "photos", ""),
        ("photos.s3.test:9000", "/a/b", "photos", "a/b"),
        ("My.Bucket.S3.TEST", "/key", "my.bucket", "key"),
        ("s3.test:9000", "/photos/key", "photos", "key"),
        ("127.0.0.1:9000", "/photos/key", "photos", "key"),
        ("[::1]", "/photos/key", "photos", "key"),
        ("evils3.test", "/photos/key", "photos", "key"),
    ],
)
def test_virtual_hosts(host: str, path: str, bucket: str, key: str) -> None:
    asked = request("GET", path, ("host", host))

    route(asked, ("s3.test",))

    assert (asked.bucket, asked.key) == (bucket, key)


def test_the_longest_matching_domain_is_a_question_of_order() -> None:
    assert bucket_of_host("a.eu.s3.test", ("eu.s3.test", "s3.test")) == "a"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("OPTIONS", "*", "InvalidURI"),
        ("GET", "/bucket/%ff", "InvalidURI"),
        ("GET", f"/bucket/{'k' * 1025}", "KeyTooLongError"),
        ("GET", "/bucket/a%00b", "InvalidArgument"),
        ("GET", f"/{'b' * 64}/key", "InvalidBucketName"),
        ("GET", "/a%00b", "InvalidBucketName"),
        ("PATCH", "/bucket/key", "MethodNotAllowed"),
        ("PUT", "/bucket/key?acl", "NotImplemented"),
        ("DELETE", "/bucket?website", "NotImplemented"),
        ("PUT", "/bucket?acl", "NotImplemented"),
        ("DELETE", "/bucket?location", "MethodNotAllowed"),
    ],
)
def test_refusals(method: str, path: str, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        route(request(method, path), ())

    assert caught.value.code == code
