"""Bucket policies and requests without a signature, on a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError


@pytest.fixture
def anonymous(server: Any) -> Any:
    """Return a client that signs nothing."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}),
    )


def failure(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def allow(s3: Any, bucket: str, *actions: str, effect: str = "Allow", **fields: Any) -> str:
    """Give everybody something, and return the policy."""
    arn = f"arn:aws:s3:::{bucket}"
    statement = {
        "Effect": effect,
        "Principal": "*",
        "Action": actions,
        "Resource": [arn, f"{arn}/*"],
    } | fields
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=text)
    return text


DENIED = (403, "AccessDenied")


def test_a_policy_is_kept_as_it_was_put(s3: Any, bucket: str) -> None:
    assert failure(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    text = allow(s3, bucket, "s3:GetObject")
    assert text == s3.get_bucket_policy(Bucket=bucket)["Policy"]
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    s3.delete_bucket_policy(Bucket=bucket)
    assert failure(s3.get_bucket_policy, Bucket=bucket) == (404, "NoSuchBucketPolicy")
    assert failure(s3.get_bucket_policy, Bucket="no-such-bucket") == (404, "NoSuchBucket")


def test_nothing_is_given_without_a_policy(s3: Any, anonymous: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    target = {"Bucket": bucket, "Key": "key"}
    assert failure(anonymous.get_object, **target) == DENIED
    assert failure(anonymous.put_object, **target, Body=b"y") == DENIED
    assert failure(anonymous.list_objects_v2, Bucket=bucket) == DENIED
    assert failure(anonymous.list_buckets) == DENIED
    assert failure(anonymous.list_objects_v2, Bucket="no-such-bucket") == DENIED


def test_the_anonymous_do_not_override_headers(s3: Any, anonymous: Any, bucket: str) -> None:
    target = {"Bucket": bucket, "Key": "key"}
    s3.put_object(**target, Body=b"x")
    allow(s3, bucket, "s3:GetObject")
    evil = {"ResponseContentType": "text/html"}
    assert anonymous.get_object(**target)["Body"].read() == b"x"
    assert failure(anonymous.get_object, **target, **evil) == (400, "InvalidRequest")
    assert s3.get_object(**target, **evil)["ContentType"] == "text/html"


def test_only_what_is_given_is_given(s3: Any, anonymous: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    allow(s3, bucket, "s3:GetObject", "s3:ListBucket")
    target = {"Bucket": bucket, "Key": "key"}
    assert anonymous.get_object(**target)["Body"].read() == b"x"
    assert anonymous.head_object(**target)["ContentLength"] == 1
    assert [o["Key"] for o in anonymous.list_objects_v2(Bucket=bucket)["Contents"]] == ["key"]
    assert failure(anonymous.put_object, **target, Body=b"y") == DENIED
    assert failure(anonymous.delete_object, **target) == DENIED
    assert failure(anonymous.get_object_tagging, **target) == DENIED
    s3.delete_bucket_policy(Bucket=bucket)
    assert failure(anonymous.get_object, **target) == DENIED


def test_everybody_may_upload_but_not_read(s3: Any, anonymous: Any, bucket: str) -> None:
    allow(s3, bucket, "s3:PutObject")
    anonymous.put_object(Bucket=bucket, Key="drop/key", Body=b"dropped" * 100_000)
    assert s3.get_object(Bucket=bucket, Key="drop/key")["Body"].read() == b"dropped" * 100_000
    assert failure(anonymous.get_object, Bucket=bucket, Key="drop/key") == DENIED
    upload = anonymous.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = anonymous.upload_part(
        Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"p"
    )
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    anonymous.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=parts
    )
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"p"


def test_a_version_has_a_permission_of_its_own(s3: Any, anonymous: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["VersionId"]
    allow(s3, bucket, "s3:GetObject", "s3:DeleteObject")
    target = {"Bucket": bucket, "Key": "key", "VersionId": version}
    assert failure(anonymous.get_object, **target) == DENIED
    assert failure(anonymous.delete_object, **target) == DENIED
    allow(s3, bucket, "s3:GetObjectVersion")
    assert anonymous.get_object(**target)["Body"].read() == b"x"


def test_a_copy_needs_its_source_too(s3: Any, anonymous: Any, bucket: str) -> None:
    """Who may write to one bucket must not read another by copying from it."""
    s3.create_bucket(Bucket=f"{bucket}-secret")
    s3.put_object(Bucket=f"{bucket}-secret", Key="secret", Body=b"x")
    allow(s3, bucket, "s3:PutObject", "s3:GetObject")
    copy = {"Bucket": bucket, "Key": "stolen", "CopySource": f"{bucket}-secret/secret"}
    assert failure(anonymous.copy_object, **copy) == DENIED
    upload = anonymous.create_multipart_upload(Bucket=bucket, Key="stolen")["UploadId"]
    assert failure(anonymous.upload_part_copy, **copy, UploadId=upload, PartNumber=1) == DENIED
    allow(s3, f"{bucket}-secret", "s3:GetObject")
    anonymous.copy_object(**copy)
    assert anonymous.get_object(Bucket=bucket, Key="stolen")["Body"].read() == b"x"


def test_deleting_many_asks_for_each_key(s3: Any, anonymous: Any, bucket: str) -> None:
    for key in ("open/a", "open/b", "shut/a"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    allow(s3, bucket, "s3:DeleteObject", Resource=f"arn:aws:s3:::{bucket}/open/*")
    objects = [{"Key": key} for key in ("open/a", "open/b", "shut/a")]
    answer = anonymous.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert {"open/a", "open/b"} == {item["Key"] for item in answer["Deleted"]}
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("shut/a", "AccessDenied")]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["shut/a"]


def test_conditions_ask_about_the_request(s3: Any, anonymous: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="home/key", Body=b"x")
    condition = {
        "StringLike": {"s3:prefix": "home/*"},
        "IpAddress": {"aws:SourceIp": "127.0.0.0/8"},
        "Bool": {"aws:SecureTransport": "false"},
        "NumericLessThanEquals": {"s3:max-keys": "10"},
    }
    allow(s3, bucket, "s3:ListBucket", Condition=condition)
    listing = {"Bucket": bucket, "Prefix": "home/", "MaxKeys": 10}
    assert anonymous.list_objects_v2(**listing)["KeyCount"] == 1
    assert failure(anonymous.list_objects_v2, **(listing | {"Prefix": "hom"})) == DENIED
    assert failure(anonymous.list_objects_v2, **(listing | {"MaxKeys": 11})) == DENIED
    condition["IpAddress"] = {"aws:SourceIp": "192.0.2.0/24"}
    allow(s3, bucket, "s3:ListBucket", Condition=condition)
    assert failure(anonymous.list_objects_v2, **listing) == DENIED
    assert not s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]


def test_extras_of_a_put_need_their_own_permission(s3: Any, anonymous: Any, bucket: str) -> None:
    allow(s3, bucket, "s3:PutObject")
    put = {"Bucket": bucket, "Key": "key", "Body": b"x"}
    assert failure(anonymous.put_object, **put, Tagging="a=b") == DENIED
    assert failure(anonymous.put_object, **put, ObjectLockLegalHoldStatus="ON") == DENIED
    allow(s3, bucket, "s3:PutObject", "s3:PutObjectTagging")
    anonymous.put_object(**put, Tagging="a=b")


def test_governance_is_passed_by_only_by_who_may(s3: Any, anonymous: Any, bucket: str) -> None:
    from datetime import UTC, datetime, timedelta

    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    until = datetime.now(UTC) + timedelta(days=1)
    lock = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    version = s3.put_object(Bucket=name, Key="key", Body=b"x", **lock)["VersionId"]
    removal = {
        "Bucket": name,
        "Key": "key",
        "VersionId": version,
        "BypassGovernanceRetention": True,
    }
    allow(s3, name, "s3:DeleteObjectVersion")
    assert failure(anonymous.delete_object, **removal) == DENIED
    allow(s3, name, "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention")
    anonymous.delete_object(**removal)


def test_a_policy_never_gives_itself_away(s3: Any, anonymous: Any, bucket: str) -> None:
    text = allow(s3, bucket, "s3:*")
    assert failure(anonymous.get_bucket_policy, Bucket=bucket) == DENIED
    assert failure(anonymous.put_bucket_policy, Bucket=bucket, Policy=text) == DENIED
    assert failure(anonymous.delete_bucket_policy, Bucket=bucket) == DENIED


def test_root_is_not_shut_out(s3: Any, bucket: str) -> None:
    allow(s3, bucket, "s3:*", effect="Deny")
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    s3.delete_bucket_policy(Bucket=bucket)


def test_a_malformed_policy_is_refused_with_its_place(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        allow(s3, bucket, "s3:GetObject", effect="Permit")
    error = caught.value.response["Error"]
    assert error["Code"] == "MalformedPolicy"
    assert "Statement[0].Effect" in error["Message"]


def test_chunks_cannot_be_signed_without_a_signature(s3: Any, server: Any, bucket: str) -> None:
    allow(s3, bucket, "s3:PutObject")
    request = urllib.request.Request(
        f"{server.endpoint}/{bucket}/key",
        data=b"x",
        method="PUT",
        headers={"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as answer:
        assert b"InvalidRequest" in answer.read()
