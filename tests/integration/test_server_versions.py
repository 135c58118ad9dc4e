"""Versions as boto3 sees them, on a real server with two workers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def versioned(s3: Any, bucket: str) -> str:
    """Return a bucket that keeps versions."""
    set_versioning(s3, bucket, "Enabled")
    return bucket


def set_versioning(s3: Any, bucket: str, status: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})


def put(s3: Any, bucket: str, body: bytes, key: str = "key") -> str:
    return s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def read(s3: Any, bucket: str, version_id: str, key: str = "key") -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"].read()


def read_version_id(s3: Any, bucket: str, **version: str) -> str:
    answer = s3.get_object(Bucket=bucket, Key="key", **version)
    answer["Body"].read()
    return answer["VersionId"]


def failure(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, dict[str, str]]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    metadata = answer["ResponseMetadata"]
    return metadata["HTTPStatusCode"], answer["Error"]["Code"], metadata["HTTPHeaders"]


def test_a_bucket_is_versioned_suspended_and_never_forgotten(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    for status in ("Enabled", "Suspended", "Enabled"):
        set_versioning(s3, bucket, status)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == status
    configuration = {"Status": "Off"}
    status, code, _ = failure(
        s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=configuration
    )
    assert (status, code) == (400, "IllegalVersioningConfigurationException")
    configuration = {"Status": "Enabled", "MFADelete": "Enabled"}
    status, code, _ = failure(
        s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration=configuration
    )
    assert (status, code) == (501, "NotImplemented")
    assert failure(s3.get_bucket_versioning, Bucket=f"{bucket}-no")[1] == "NoSuchBucket"


def test_versions_are_read_by_id(s3: Any, versioned: str) -> None:
    ids = [put(s3, versioned, body) for body in (b"1", b"2" * 100_000, b"3")]
    assert len(set(ids)) == 3
    assert read(s3, versioned, ids[0]) == b"1"
    assert read(s3, versioned, ids[1]) == b"2" * 100_000
    answer = s3.head_object(Bucket=versioned, Key="key")
    assert answer["VersionId"] == ids[2]
    answer = s3.get_object(Bucket=versioned, Key="key", VersionId=ids[1], Range="bytes=0-9")
    assert (answer["VersionId"], answer["ContentLength"]) == (ids[1], 10)
    assert failure(s3.get_object, Bucket=versioned, Key="key", VersionId="none")[:2] == (
        404,
        "NoSuchVersion",
    )
    assert failure(s3.get_object, Bucket=versioned, Key="key", VersionId="")[:2] == (
        400,
        "InvalidArgument",
    )


def test_delete_markers(s3: Any, versioned: str) -> None:
    kept = put(s3, versioned, b"kept")
    deleted = s3.delete_object(Bucket=versioned, Key="key")
    assert deleted["DeleteMarker"]
    marker = deleted["VersionId"]
    status, code, headers = failure(s3.get_object, Bucket=versioned, Key="key")
    assert (status, code) == (404, "NoSuchKey")
    assert headers["x-amz-delete-marker"] == "true"
    assert headers["x-amz-version-id"] == marker
    for call in (s3.get_object, s3.head_object):
        status, _, headers = failure(call, Bucket=versioned, Key="key", VersionId=marker)
        assert status == 405
        assert headers["x-amz-delete-marker"] == "true"
        assert headers["allow"] == "DELETE"
        assert "last-modified" in headers
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert failure(s3.delete_bucket, Bucket=versioned)[:2] == (409, "BucketNotEmpty")
    removed = s3.delete_object(Bucket=versioned, Key="key", VersionId=marker)
    assert (removed["DeleteMarker"], removed["VersionId"]) == (True, marker)
    assert read_version_id(s3, versioned) == kept
    removed = s3.delete_object(Bucket=versioned, Key="key", VersionId=kept)
    assert removed["VersionId"] == kept
    assert "DeleteMarker" not in removed
    s3.delete_bucket(Bucket=versioned)


def test_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    set_versioning(s3, bucket, "Enabled")
    kept = put(s3, bucket, b"kept")
    assert read(s3, bucket, "null") == b"before"
    set_versioning(s3, bucket, "Suspended")
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"null again")
    assert read(s3, bucket, "null") == b"null again"
    assert read_version_id(s3, bucket, VersionId="null") == "null"
    deleted = s3.delete_object(Bucket=bucket, Key="key")
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    s3.delete_object(Bucket=bucket, Key="key", VersionId="null")
    assert read_version_id(s3, bucket) == kept


def shown_version(answer: dict[str, Any]) -> str | None:
    return answer.get("VersionId")


def reads(s3: Any, bucket: str) -> set[str | None]:
    """Return what the answers of all operations that read the current object call its version.

    Each is asked for several times, so that both workers answer.
    """
    key = {"Bucket": bucket, "Key": "key"}
    shown = set()
    for _ in range(6):
        answer = s3.get_object(**key)
        answer["Body"].read()
        shown |= {
            shown_version(answer),
            shown_version(s3.head_object(**key)),
            shown_version(s3.get_object_tagging(**key)),
            shown_version(s3.get_object_attributes(**key, ObjectAttributes=["ETag"])),
        }
    return shown


def test_a_current_null_version_is_named_once_there_were_versions(s3: Any, bucket: str) -> None:
    # As recorded of Amazon: reads name it, writes do not.
    s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    assert reads(s3, bucket) == {None}
    set_versioning(s3, bucket, "Enabled")
    assert reads(s3, bucket) == {"null"}
    etag = s3.head_object(Bucket=bucket, Key="key")["ETag"]
    status, _, headers = failure(s3.get_object, Bucket=bucket, Key="key", IfNoneMatch=etag)
    assert (status, headers["x-amz-version-id"]) == (304, "null")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    tagged = s3.put_object_tagging(Bucket=bucket, Key="key", Tagging=tags)
    assert tagged["VersionId"] == "null"
    assert s3.delete_object_tagging(Bucket=bucket, Key="key")["VersionId"] == "null"

    kept = put(s3, bucket, b"kept")
    assert reads(s3, bucket) == {kept}
    set_versioning(s3, bucket, "Suspended")
    assert reads(s3, bucket) == {kept}
    assert "VersionId" not in s3.put_object(Bucket=bucket, Key="key", Body=b"suspended")
    assert reads(s3, bucket) == {"null"}
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "key"})
    assert "CopySourceVersionId" not in copied

    removed = s3.delete_object(Bucket=bucket, Key="key", VersionId="null")
    assert removed["VersionId"] == "null"
    assert "DeleteMarker" not in removed
    assert reads(s3, bucket) == {kept}


def test_without_versions_the_null_version_is_named_to_who_names_it(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    assert read_version_id(s3, bucket, VersionId="null") == "null"
    assert "VersionId" not in s3.delete_object(Bucket=bucket, Key="key")


def test_many_versions_are_deleted_at_once(s3: Any, versioned: str) -> None:
    ids = [put(s3, versioned, b"%d" % index) for index in range(4)]
    marker = s3.delete_object(Bucket=versioned, Key="key")["VersionId"]
    wanted = [{"Key": "key", "VersionId": version_id} for version_id in (*ids[1:], marker)]
    answer = s3.delete_objects(
        Bucket=versioned, Delete={"Objects": [*wanted, {"Key": "absent"}, {"Key": "other"}]}
    )
    by_id = {item.get("VersionId"): item for item in answer["Deleted"]}
    assert by_id[marker]["DeleteMarkerVersionId"] == marker
    assert "DeleteMarker" not in by_id[ids[1]]
    markers = [item for item in answer["Deleted"] if "VersionId" not in item]
    assert {item["Key"] for item in markers} == {"absent", "other"}
    assert all(item["DeleteMarker"] and item["DeleteMarkerVersionId"] for item in markers)
    assert s3.get_object(Bucket=versioned, Key="key")["Body"].read() == b"0"
    quiet = s3.delete_objects(Bucket=versioned, Delete={"Objects": [{"Key": "key"}], "Quiet": True})
    assert "Deleted" not in quiet


def test_versions_are_listed_by_pages(s3: Any, versioned: str) -> None:
    expected = []
    for key in ("a", "a/b", "a b", "\u00e4/x", "z"):
        mine = [(key, put(s3, versioned, b"x", key), False) for _ in range(2)]
        mine.append((key, s3.delete_object(Bucket=versioned, Key=key)["VersionId"], True))
        expected += reversed(mine)
    expected.sort(key=lambda item: item[0].encode())
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=versioned, PaginationConfig={"PageSize": 2}
    )
    found = []
    for page in pages:
        shown = [(v, False) for v in page.get("Versions", [])]
        shown += [(v, True) for v in page.get("DeleteMarkers", [])]
        assert len(shown) <= 2
        found += [(v["Key"], v["VersionId"], marker) for v, marker in shown]
        assert all(v["IsLatest"] == marker for v, marker in shown)
    assert sorted(found) == sorted(expected)
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/", Prefix="a")
    assert [item["Prefix"] for item in page["CommonPrefixes"]] == ["a/"]
    assert {v["Key"] for v in page["Versions"]} == {"a", "a b"}
    page = s3.list_object_versions(
        Bucket=versioned, KeyMarker="a", VersionIdMarker=expected[1][1], MaxKeys=1
    )
    assert page["Versions"][0]["VersionId"] == expected[2][1]
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("a", expected[2][1])
    for markers in ({"VersionIdMarker": "x"}, {"KeyMarker": "a", "VersionIdMarker": "!"}):
        assert failure(s3.list_object_versions, Bucket=versioned, **markers)[1] == "InvalidArgument"


def test_copies_between_versions(s3: Any, versioned: str) -> None:
    first, second = put(s3, versioned, b"first"), put(s3, versioned, b"second")
    source = {"Bucket": versioned, "Key": "key", "VersionId": first}
    answer = s3.copy_object(Bucket=versioned, Key="key", CopySource=source)
    assert answer["CopySourceVersionId"] == first
    assert answer["VersionId"] not in (first, second)
    assert s3.get_object(Bucket=versioned, Key="key")["Body"].read() == b"first"
    marker = s3.delete_object(Bucket=versioned, Key="key")["VersionId"]
    source["VersionId"] = marker
    assert failure(s3.copy_object, Bucket=versioned, Key="copy", CopySource=source)[:2] == (
        400,
        "InvalidRequest",
    )
    source.pop("VersionId")
    assert failure(s3.copy_object, Bucket=versioned, Key="copy", CopySource=source)[:2] == (
        404,
        "NoSuchKey",
    )


def test_completed_uploads_are_versions(s3: Any, versioned: str) -> None:
    first = put(s3, versioned, b"first")
    upload_id = s3.create_multipart_upload(Bucket=versioned, Key="key")["UploadId"]
    where = {"Bucket": versioned, "Key": "key", "UploadId": upload_id}
    part = s3.upload_part_copy(
        **where, PartNumber=1, CopySource={"Bucket": versioned, "Key": "key", "VersionId": first}
    )
    assert part["CopySourceVersionId"] == first
    parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
    made = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert read(s3, versioned, made["VersionId"]) == b"first"
    assert read(s3, versioned, first) == b"first"


def test_concurrent_writers_each_leave_a_version(
    server: Any, versioned: str, s3: Any, new_client: Callable[..., Any]
) -> None:
    made: list[str] = []

    def write(client: Any, number: int) -> None:
        for index in range(10):
            made.append(put(client, versioned, b"%d %d" % (number, index)))
            if index % 3 == 0:
                made.append(client.delete_object(Bucket=versioned, Key="key")["VersionId"])

    threads = [
        threading.Thread(target=write, args=(new_client(server), number)) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = s3.list_object_versions(Bucket=versioned)
    listed = [v["VersionId"] for v in (*page["Versions"], *page["DeleteMarkers"])]
    assert sorted(listed) == sorted(made)
    assert len(listed) == 6 * 14
    latest = [v for v in (*page["Versions"], *page["DeleteMarkers"]) if v["IsLatest"]]
    assert len(latest) == 1
