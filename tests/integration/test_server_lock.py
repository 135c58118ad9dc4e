"""Object lock as boto3 sees it, on a real server with two workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def locked(s3: Any, bucket: str) -> Iterator[str]:
    """Return a bucket with object lock."""
    name = f"{bucket}-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def later(**delta: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**delta)


def failure(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_bucket_with_lock_keeps_versions_for_ever(s3: Any, locked: str, bucket: str) -> None:
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    configuration = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert configuration == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Status": "Suspended"}
    assert failure(s3.put_bucket_versioning, Bucket=locked, VersioningConfiguration=suspended) == (
        409,
        "InvalidBucketState",
    )
    assert failure(s3.get_object_lock_configuration, Bucket=bucket) == (
        404,
        "ObjectLockConfigurationNotFoundError",
    )
    assert failure(
        s3.put_object_lock_configuration,
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
    ) == (409, "InvalidBucketState")


def test_retention_is_answered_and_keeps_a_version(s3: Any, locked: str) -> None:
    until = later(days=1)
    version = s3.put_object(
        Bucket=locked,
        Key="key",
        Body=b"x",
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
    )["VersionId"]
    head = s3.head_object(Bucket=locked, Key="key")
    assert ("COMPLIANCE", until) == (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"])
    found = s3.get_object_retention(Bucket=locked, Key="key", VersionId=version)["Retention"]
    assert {"Mode": "COMPLIANCE", "RetainUntilDate": until} == found
    removal = {"Bucket": locked, "Key": "key", "VersionId": version}
    assert failure(s3.delete_object, **removal) == (403, "AccessDenied")
    bypass = removal | {"BypassGovernanceRetention": True}
    assert failure(s3.delete_object, **bypass) == (403, "AccessDenied")
    marker = s3.delete_object(Bucket=locked, Key="key")
    assert marker["DeleteMarker"]
    assert s3.get_object(**removal)["Body"].read() == b"x"


def test_governance_is_passed_by_only_when_asked_for(s3: Any, locked: str) -> None:
    version = s3.put_object(
        Bucket=locked,
        Key="key",
        Body=b"x",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=later(days=1),
    )["VersionId"]
    removal = {"Bucket": locked, "Key": "key", "VersionId": version}
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": later(hours=1)}
    assert failure(s3.delete_object, **removal) == (403, "AccessDenied")
    assert failure(s3.put_object_retention, **removal, Retention=shorter) == (403, "AccessDenied")
    s3.put_object_retention(**removal, Retention=shorter, BypassGovernanceRetention=True)
    s3.delete_object(**removal, BypassGovernanceRetention=True)
    assert failure(s3.get_object, **removal) == (404, "NoSuchVersion")


def test_a_legal_hold_is_put_and_taken_off(s3: Any, locked: str) -> None:
    version = s3.put_object(Bucket=locked, Key="key", Body=b"x")["VersionId"]
    target = {"Bucket": locked, "Key": "key", "VersionId": version}
    assert failure(s3.get_object_legal_hold, **target) == (404, "NoSuchObjectLockConfiguration")
    s3.put_object_legal_hold(**target, LegalHold={"Status": "ON"})
    assert s3.get_object_legal_hold(**target)["LegalHold"] == {"Status": "ON"}
    assert s3.head_object(**target)["ObjectLockLegalHoldStatus"] == "ON"
    assert failure(s3.delete_object, **target) == (403, "AccessDenied")
    s3.put_object_legal_hold(**target, LegalHold={"Status": "OFF"})
    s3.delete_object(**target)


def test_the_default_retention_is_set_read_and_applied(s3: Any, locked: str) -> None:
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 2}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=configuration)
    read = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert configuration == read
    upload = s3.create_multipart_upload(Bucket=locked, Key="joined")["UploadId"]
    part = s3.upload_part(Bucket=locked, Key="joined", UploadId=upload, PartNumber=1, Body=b"x")[
        "ETag"
    ]
    s3.complete_multipart_upload(
        Bucket=locked,
        Key="joined",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]},
    )
    s3.put_object(Bucket=locked, Key="put", Body=b"x")
    s3.copy_object(Bucket=locked, Key="copied", CopySource=f"{locked}/put")
    for key in ("joined", "put", "copied"):
        head = s3.head_object(Bucket=locked, Key=key)
        assert head["ObjectLockMode"] == "GOVERNANCE"
        left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=1, hours=23) < left <= timedelta(days=2)


def test_deleting_many_reports_each_locked_version(s3: Any, locked: str) -> None:
    free = s3.put_object(Bucket=locked, Key="free", Body=b"x")["VersionId"]
    held = s3.put_object(Bucket=locked, Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")
    objects = [
        {"Key": "free", "VersionId": free},
        {"Key": "held", "VersionId": held["VersionId"]},
        {"Key": "held"},
    ]
    answer = s3.delete_objects(Bucket=locked, Delete={"Objects": objects})
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("held", "AccessDenied")]
    assert {"free", "held"} == {item["Key"] for item in answer["Deleted"]}
    assert failure(s3.delete_bucket, Bucket=locked) == (409, "BucketNotEmpty")


def test_locks_are_refused_where_they_cannot_hold(s3: Any, bucket: str) -> None:
    asked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(days=1)}
    target = {"Bucket": bucket, "Key": "key"}
    assert failure(s3.put_object, **target, **asked, Body=b"x") == (400, "InvalidRequest")
    assert failure(s3.create_multipart_upload, **target, **asked) == (400, "InvalidRequest")
    s3.put_object(**target, Body=b"x")
    assert failure(s3.get_object_retention, **target) == (400, "InvalidRequest")
    hold = {"Status": "ON"}
    assert failure(s3.put_object_legal_hold, **target, LegalHold=hold) == (400, "InvalidRequest")


def test_a_retention_of_the_past_is_refused(s3: Any, locked: str) -> None:
    past = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later(days=-1)}
    assert failure(s3.put_object, Bucket=locked, Key="key", Body=b"x", **past) == (
        400,
        "InvalidArgument",
    )
    s3.put_object(Bucket=locked, Key="key", Body=b"x")
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": later(days=-1)}
    assert failure(s3.put_object_retention, Bucket=locked, Key="key", Retention=retention) == (
        400,
        "InvalidArgument",
    )
