"""Objects through boto3 with its default checksums: what is stored is what comes back."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def get(s3: Any, bucket: str, key: str, **options: Any) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read()


@pytest.mark.parametrize("size_bytes", [0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 3_000_001])
def test_what_was_put_is_what_is_got(s3: Any, bucket: str, size_bytes: int) -> None:
    body = os.urandom(size_bytes)

    put = s3.put_object(Bucket=bucket, Key="key", Body=body)
    got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")

    assert got["Body"].read() == body
    assert put["ETag"] == got["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ChecksumCRC32"] == got["ChecksumCRC32"]
    assert got["ChecksumType"] == "FULL_OBJECT"
    assert got["ContentLength"] == size_bytes


@pytest.mark.parametrize(
    "key", ["a b+c", "ümläut/€", "a//b/../c", "-_.~!*'()&=;:@,$?", "%2F", "ẞ" * 341]
)
def test_keys_of_every_kind(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())

    assert get(s3, bucket, key) == key.encode()
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_every_checksum_is_verified_stored_and_echoed(s3: Any, bucket: str, name: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"hello", ChecksumAlgorithm=name)

    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert head[f"Checksum{name}"]
    assert f"Checksum{name}" not in s3.head_object(Bucket=bucket, Key="key")
    with pytest.raises(ClientError) as caught:
        s3.put_object(
            Bucket=bucket, Key="key", Body=b"other", **{f"Checksum{name}": head[f"Checksum{name}"]}
        )
    assert code_of(caught) == (400, "BadDigest")
    assert get(s3, bucket, "key") == b"hello"


def test_headers_and_metadata_stay_with_the_object(s3: Any, bucket: str) -> None:
    headers = {
        "CacheControl": "no-store",
        "ContentDisposition": "attachment",
        "ContentEncoding": "gzip",
        "ContentLanguage": "de",
        "ContentType": "text/plain; charset=utf-8",
    }
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Metadata={"Answer": "42"}, **headers)

    for answer in (
        s3.get_object(Bucket=bucket, Key="key"),
        s3.head_object(Bucket=bucket, Key="key"),
    ):
        assert {name: answer[name] for name in headers} == headers
        assert answer["Metadata"] == {"answer": "42"}


def test_an_object_without_a_type_is_binary(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")

    assert s3.head_object(Bucket=bucket, Key="key")["ContentType"] == "binary/octet-stream"


def test_a_get_may_override_headers(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ContentType="text/plain")

    got = s3.get_object(
        Bucket=bucket,
        Key="key",
        ResponseContentType="text/html",
        ResponseContentDisposition="attachment; filename=x",
    )

    assert got["ContentType"] == "text/html"
    assert got["ContentDisposition"] == "attachment; filename=x"


@pytest.mark.parametrize("size_bytes", [100, 3_000_000])
@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("10-19", 10, 20), ("90-", 90, None), ("-7", -7, None)],
)
def test_ranges(
    s3: Any, bucket: str, *, size_bytes: int, asked: str, start: int, stop: int | None
) -> None:
    body = os.urandom(size_bytes)
    s3.put_object(Bucket=bucket, Key="key", Body=body)

    got = s3.get_object(Bucket=bucket, Key="key", Range=f"bytes={asked}")

    assert got["Body"].read() == body[start:stop]
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"].endswith(f"/{size_bytes}")


def test_a_range_behind_the_end_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"12345")

    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="key", Range="bytes=5-")

    assert code_of(caught) == (416, "InvalidRange")


def test_conditional_reads(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    now = datetime.now(UTC)
    old, later = now - timedelta(days=1), now + timedelta(days=1)

    for holds in (
        {"IfMatch": etag},
        {"IfNoneMatch": '"other"'},
        {"IfModifiedSince": old},
        {"IfUnmodifiedSince": later},
    ):
        assert get(s3, bucket, "key", **holds) == b"x"
    for fails, status in (
        ({"IfMatch": '"other"'}, 412),
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": later}, 304),
        ({"IfUnmodifiedSince": old}, 412),
    ):
        for operation in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as caught:
                operation(Bucket=bucket, Key="key", **fails)
            assert code_of(caught)[0] == status
            if status == 304:
                headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
                assert headers["etag"] == etag


def test_conditional_writes(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"first", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="key", Body=b"second", IfNoneMatch="*")
    assert code_of(caught) == (412, "PreconditionFailed")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="key", Body=b"second", IfMatch='"other"')
    assert code_of(caught) == (412, "PreconditionFailed")
    assert get(s3, bucket, "key") == b"first"

    s3.put_object(Bucket=bucket, Key="key", Body=b"second", IfMatch=etag)
    assert get(s3, bucket, "key") == b"second"
    with pytest.raises(ClientError) as caught:
        s3.delete_object(Bucket=bucket, Key="key", IfMatch=etag)
    assert code_of(caught) == (412, "PreconditionFailed")


def test_what_is_not_there(s3: Any, bucket: str) -> None:
    for operation, status, code in (
        (lambda: s3.get_object(Bucket=bucket, Key="none"), 404, "NoSuchKey"),
        (lambda: s3.head_object(Bucket=bucket, Key="none"), 404, "404"),
        (lambda: s3.get_object(Bucket="no-such-bucket", Key="k"), 404, "NoSuchBucket"),
        (lambda: s3.put_object(Bucket="no-such-bucket", Key="k", Body=b"x"), 404, "NoSuchBucket"),
        (lambda: s3.delete_object(Bucket="no-such-bucket", Key="k"), 404, "NoSuchBucket"),
        (lambda: s3.head_bucket(Bucket="no-such-bucket"), 404, "404"),
        (lambda: s3.list_objects_v2(Bucket="no-such-bucket"), 404, "NoSuchBucket"),
        (lambda: s3.get_object(Bucket=bucket, Key="k", VersionId="v"), 404, "NoSuchVersion"),
    ):
        with pytest.raises(ClientError) as caught:
            operation()
        assert code_of(caught) == (status, code)


def test_deleting_is_idempotent(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")

    for _ in range(2):
        assert (
            s3.delete_object(Bucket=bucket, Key="key")["ResponseMetadata"]["HTTPStatusCode"] == 204
        )

    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="key")


@pytest.mark.parametrize("quiet", [False, True])
def test_many_objects_are_deleted_at_once(s3: Any, bucket: str, quiet: bool) -> None:
    for index in range(3):
        s3.put_object(Bucket=bucket, Key=f"k{index}", Body=b"x")

    wanted = [
        {"Key": "k0"},
        {"Key": "none & <none>"},
        {"Key": "k" * 1025},
        {"Key": "k2"},
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": quiet})

    deleted = [item["Key"] for item in answer.get("Deleted", [])]
    assert deleted == ([] if quiet else ["k0", "none & <none>", "k2"])
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("k" * 1025, "KeyTooLongError")]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k1"]


@pytest.mark.parametrize("size_bytes", [10, 300_000])
def test_copies(s3: Any, bucket: str, size_bytes: int) -> None:
    body = os.urandom(size_bytes)
    s3.put_object(
        Bucket=bucket, Key="a b/ü", Body=body, Metadata={"kept": "yes"}, ContentType="text/plain"
    )
    source = {"Bucket": bucket, "Key": "a b/ü"}

    kept = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)
    s3.copy_object(
        Bucket=bucket,
        Key="replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"new": "1"},
    )
    s3.delete_object(Bucket=bucket, Key="a b/ü")

    assert kept["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = s3.get_object(Bucket=bucket, Key="kept")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (
        body,
        {"kept": "yes"},
        "text/plain",
    )
    got = s3.get_object(Bucket=bucket, Key="replaced")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (
        body,
        {"new": "1"},
        "binary/octet-stream",
    )


def test_copies_that_are_refused(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]

    for options, expected in (
        ({"Key": "key", "CopySource": f"{bucket}/key"}, (400, "InvalidRequest")),
        ({"Key": "new", "CopySource": f"{bucket}/none"}, (404, "NoSuchKey")),
        ({"Key": "new", "CopySource": "no-such-bucket/key"}, (404, "NoSuchBucket")),
        ({"Key": "new", "CopySource": "nonsense"}, (400, "InvalidArgument")),
        (
            {"Key": "new", "CopySource": f"{bucket}/key", "CopySourceIfNoneMatch": etag},
            (412, "PreconditionFailed"),
        ),
        (
            {"Key": "new", "CopySource": f"{bucket}/key", "CopySourceIfMatch": '"other"'},
            (412, "PreconditionFailed"),
        ),
    ):
        with pytest.raises(ClientError) as caught:
            s3.copy_object(Bucket=bucket, **options)
        assert code_of(caught) == expected


def test_an_object_may_be_copied_onto_itself_to_change_its_metadata(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x" * 100_000)

    s3.copy_object(
        Bucket=bucket,
        Key="key",
        CopySource=f"{bucket}/key",
        MetadataDirective="REPLACE",
        Metadata={"a": "b"},
    )

    got = s3.get_object(Bucket=bucket, Key="key")
    assert (got["Body"].read(), got["Metadata"]) == (b"x" * 100_000, {"a": "b"})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ServerSideEncryption": "AES256"}, (501, "NotImplemented")),
        ({"WebsiteRedirectLocation": "/x"}, (501, "NotImplemented")),
        ({"ACL": "public-read"}, (501, "NotImplemented")),
        ({"StorageClass": "GLACIER"}, (400, "InvalidStorageClass")),
        ({"Metadata": {"long": "x" * 2048}}, (400, "MetadataTooLarge")),
    ],
)
def test_what_cannot_be_kept_is_refused(
    s3: Any, bucket: str, options: dict[str, Any], expected: tuple[int, str]
) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="key", Body=b"x", **options)

    assert code_of(caught) == expected
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_private_acl_is_what_objects_have_anyway(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ACL="private", StorageClass="STANDARD")

    assert get(s3, bucket, "key", VersionId="null") == b"x"
