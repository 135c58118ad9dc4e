"""The fine print of Amazon's documentation: what answers carry, and what is refused when."""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

PART = 5 << 20
OLD = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime.now(UTC) + timedelta(days=1)
OWNER = "696e676f74" + "0" * 54


def refusal(call: Any, **arguments: Any) -> tuple[int, str, dict[str, str]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    meta = answer["ResponseMetadata"]
    return meta["HTTPStatusCode"], answer["Error"]["Code"], meta["HTTPHeaders"]


def code(call: Any, **arguments: Any) -> tuple[int, str]:
    return refusal(call, **arguments)[:2]


def crc32(data: bytes) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"IfMatch": "ETAG", "IfUnmodifiedSince": OLD}, 200),
        ({"IfMatch": "*", "IfUnmodifiedSince": OLD}, 200),
        ({"IfMatch": '"other"', "IfUnmodifiedSince": LATER}, 412),
        ({"IfMatch": '"other"', "IfNoneMatch": "ETAG"}, 412),
        ({"IfMatch": "ETAG", "IfNoneMatch": "ETAG"}, 304),
        ({"IfNoneMatch": "ETAG", "IfModifiedSince": OLD}, 304),
        ({"IfNoneMatch": '"other"', "IfModifiedSince": LATER}, 200),
        ({"IfUnmodifiedSince": OLD, "IfModifiedSince": LATER}, 412),
        ({"IfUnmodifiedSince": LATER, "IfModifiedSince": LATER}, 304),
        ({"IfNoneMatch": "*"}, 304),
    ],
)
def test_which_condition_decides(
    s3: Any, bucket: str, conditions: dict[str, Any], status: int
) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    etag = s3.put_object(**where, Body=b"x")["ETag"]
    asked = {name: etag if value == "ETAG" else value for name, value in conditions.items()}
    for call in (s3.get_object, s3.head_object):
        if status == 200:
            assert call(**where, **asked)["ETag"] == etag
        else:
            assert refusal(call, **where, **asked)[0] == status
    # What a read answers with 304 is 412 for a copy.
    source = {f"CopySource{name}": value for name, value in asked.items()}
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/key"} | source
    if status == 200:
        s3.copy_object(**copy)
    else:
        assert code(s3.copy_object, **copy) == (412, "PreconditionFailed")


def test_not_modified_brings_a_cache_up_to_date(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "key"}
    put = s3.put_object(**where, Body=b"x", CacheControl="max-age=5", Expires=LATER)
    status, _, headers = refusal(s3.get_object, **where, IfNoneMatch=put["ETag"])
    assert (status, headers["etag"], headers["cache-control"], headers["x-amz-version-id"]) == (
        304,
        put["ETag"],
        "max-age=5",
        put["VersionId"],
    )
    assert {"expires", "last-modified"} <= headers.keys()
    assert "content-type" not in headers


def test_a_deletion_of_nothing_by_size_or_time_is_done_already(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "none"}
    s3.delete_object(**where, IfMatchSize=5)
    s3.delete_object(**where, IfMatchLastModifiedTime=OLD)
    assert code(s3.delete_object, **where, IfMatch='"x"', IfMatchSize=5) == (404, "NoSuchKey")
    objects = [{"Key": "a", "Size": 1}, {"Key": "b", "ETag": '"x"'}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [item["Key"] for item in answer["Deleted"]] == ["a"]
    assert [(item["Key"], item["Code"]) for item in answer["Errors"]] == [("b", "NoSuchKey")]


@pytest.mark.parametrize("size_bytes", [0, 100, 3_000_000])
def test_a_copy_is_summed_up_as_asked(s3: Any, bucket: str, size_bytes: int) -> None:
    body = os.urandom(size_bytes)
    s3.put_object(Bucket=bucket, Key="key", Body=body, ChecksumAlgorithm="CRC32")
    copy = {"Bucket": bucket, "CopySource": f"{bucket}/key"}

    result = s3.copy_object(**copy, Key="copy", ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert (result["ChecksumSHA256"], result["ChecksumType"]) == (sha256, "FULL_OBJECT")
    found = s3.get_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert (found["Body"].read(), found["ChecksumSHA256"]) == (body, sha256)
    assert "ChecksumCRC32" not in found

    kept = s3.copy_object(**copy, Key="kept")["CopyObjectResult"]
    assert kept["ChecksumCRC32"] == crc32(body)
    # In place it is a change, unless the object has that checksum.
    s3.copy_object(**copy, Key="key", ChecksumAlgorithm="SHA1")
    again = code(s3.copy_object, **copy, Key="key", ChecksumAlgorithm="SHA1")
    assert again == (400, "InvalidRequest")
    assert code(s3.copy_object, **copy, Key="x", ChecksumAlgorithm="MD4") == (400, "InvalidRequest")


def test_a_copy_of_parts_gets_a_checksum_of_the_whole(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    bodies = [os.urandom(PART), b"end"]
    upload, parts = begin(s3, where, bodies, ChecksumAlgorithm="SHA256")
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": parts})
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/key"}
    result = s3.copy_object(**copy, ChecksumAlgorithm="SHA256")["CopyObjectResult"]
    whole = base64.b64encode(hashlib.sha256(b"".join(bodies)).digest()).decode()
    assert (result["ChecksumSHA256"], result["ChecksumType"]) == (whole, "FULL_OBJECT")


def test_another_owner_than_expected_is_refused(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    other = "111122223333"
    s3.put_object(**where, Body=b"x", ExpectedBucketOwner=OWNER)
    assert code(s3.put_object, **where, Body=b"y", ExpectedBucketOwner=other) == (
        403,
        "AccessDenied",
    )
    assert code(s3.list_objects_v2, Bucket=bucket, ExpectedBucketOwner=other)[0] == 403
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/key"}
    assert code(s3.copy_object, **copy, ExpectedSourceBucketOwner=other)[0] == 403
    s3.copy_object(**copy, ExpectedSourceBucketOwner=OWNER)
    assert s3.get_object(**where, ExpectedBucketOwner=OWNER)["Body"].read() == b"x"


def test_buckets_are_in_one_region(s3: Any, bucket: str) -> None:
    assert s3.list_buckets(BucketRegion="eu-central-1")["Buckets"] == []
    here = s3.list_buckets(BucketRegion="us-east-1", Prefix=bucket)["Buckets"]
    assert [item["Name"] for item in here] == [bucket]


def begin(
    s3: Any, where: dict[str, str], bodies: list[bytes], **options: Any
) -> tuple[str, list[dict[str, Any]]]:
    upload = s3.create_multipart_upload(**where, **options)["UploadId"]
    algorithm = {k: v for k, v in options.items() if k == "ChecksumAlgorithm"}
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=body, **algorithm)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    return upload, parts


def test_a_completion_announces_nothing_that_is_not_verified(
    s3: Any, bucket: str, server: Any, new_client: Any
) -> None:
    plain = new_client(server, request_checksum_calculation="when_required")
    where = {"Bucket": bucket, "Key": "key"}
    bodies = [os.urandom(PART), b"end"]
    upload, parts = begin(plain, where, bodies)
    request = {**where, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    complete = s3.complete_multipart_upload
    # The parts came without checksums: there is nothing to compare with.
    whole = crc32(b"".join(bodies))
    assert code(complete, **request, ChecksumCRC32=whole) == (400, "InvalidRequest")
    named = [
        part | {"ChecksumCRC32": crc32(body)} for part, body in zip(parts, bodies, strict=True)
    ]
    assert code(complete, **request | {"MultipartUpload": {"Parts": named}}) == (400, "InvalidPart")
    complete(**request)

    # The parts have checksums, though the upload was begun without.
    upload, parts = begin(s3, where, bodies)
    request = {**where, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    assert code(complete, **request, ChecksumCRC32=crc32(b"no")) == (400, "BadDigest")
    complete(**request, ChecksumCRC32=whole)


def test_a_completion_keeps_to_the_type_of_the_upload(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    options = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    upload, parts = begin(s3, where, [b"body"], **options)
    request = {**where, "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    complete = s3.complete_multipart_upload
    assert code(complete, **request, ChecksumType="COMPOSITE") == (400, "InvalidRequest")
    sha1 = base64.b64encode(bytes(20)).decode()
    assert code(complete, **request, ChecksumSHA1=sha1) == (400, "InvalidRequest")
    assert complete(**request, ChecksumType="FULL_OBJECT")["ChecksumCRC32"] == crc32(b"body")
