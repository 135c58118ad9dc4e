"""Lifecycle rules as boto3 sets them, and a server that applies them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError


def failure(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def put_rules(s3: Any, bucket: str, *rules: dict[str, Any]) -> None:
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [*rules]})


def test_rules_are_put_read_and_taken_away(s3: Any, bucket: str) -> None:
    read = s3.get_bucket_lifecycle_configuration
    assert failure(read, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")
    rule = {
        "ID": "tidy",
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "logs/", "Tags": [{"Key": "a", "Value": "b"}]}},
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 7, "NewerNoncurrentVersions": 2},
    }
    put_rules(s3, bucket, rule)
    assert read(Bucket=bucket)["Rules"] == [rule]
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert failure(read, Bucket=bucket) == (404, "NoSuchLifecycleConfiguration")


def test_rules_without_a_name_get_one(s3: Any, bucket: str) -> None:
    plain = {"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    put_rules(s3, bucket, plain, {**plain, "ID": "rule-1"}, plain)
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule["ID"] for rule in found] == ["rule-2", "rule-1", "rule-3"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({}, "InvalidRequest"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}]}, "NotImplemented"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(
    s3: Any, bucket: str, rule: dict[str, Any], code: str
) -> None:
    whole = {"Status": "Enabled", "Filter": {"Prefix": ""}} | rule
    with pytest.raises(ClientError) as caught:
        put_rules(s3, bucket, whole)
    assert caught.value.response["Error"]["Code"] == code


def test_a_server_applies_them(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data", environment={"INGOT_LIFECYCLE_INTERVAL": "1s"})
    s3 = new_client(server)
    s3.create_bucket(Bucket="bucket")
    for key in ("old/a", "old/b", "kept"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"x")
    rule = {
        "Status": "Enabled",
        "Filter": {"Prefix": "old/"},
        "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)},
    }
    put_rules(s3, "bucket", rule)
    deadline_s = time.monotonic() + 60
    while len(keys := _keys(s3)) > 1:
        assert time.monotonic() < deadline_s, keys
        time.sleep(0.2)
    assert keys == ["kept"]


def _keys(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket="bucket").get("Contents", [])]
