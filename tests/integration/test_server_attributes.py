"""What is kept beside an object's bytes: tags, storage class, attributes; on a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def tag_set(**tags: str) -> dict[str, Any]:
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def upload_in_parts(s3: Any, bucket: str, key: str, parts: list[bytes], **options: Any) -> None:
    where = {"Bucket": bucket, "Key": key}
    upload_id = s3.create_multipart_upload(**where, **options)["UploadId"]
    named = []
    algorithm = options.get("ChecksumAlgorithm")
    extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    for number, body in enumerate(parts, 1):
        answer = s3.upload_part(**where, UploadId=upload_id, PartNumber=number, Body=body, **extra)
        named.append({"PartNumber": number, "ETag": answer["ETag"]})
        if algorithm:
            named[-1][f"Checksum{algorithm}"] = answer[f"Checksum{algorithm}"]
    s3.complete_multipart_upload(**where, UploadId=upload_id, MultipartUpload={"Parts": named})


def got(s3: Any, **where: Any) -> dict[str, Any]:
    """Return the answer of a GET, its body read."""
    answer = s3.get_object(**where)
    answer["Body"].read()
    return answer


def test_tags_of_an_object(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    s3.put_object(**where, Body=b"x", Tagging="a=1&b=%C3%A4")
    assert s3.get_object_tagging(**where)["TagSet"] == tag_set(a="1", b="\u00e4")["TagSet"]
    assert got(s3, **where)["TagCount"] == 2
    etag = s3.head_object(**where)["ETag"]
    s3.put_object_tagging(**where, Tagging=tag_set(c="3"))
    assert s3.get_object_tagging(**where)["TagSet"] == tag_set(c="3")["TagSet"]
    assert s3.head_object(**where)["ETag"] == etag
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    assert "TagCount" not in got(s3, **where)
    too_many = tag_set(**{f"k{index}": "v" for index in range(11)})
    assert code_of(s3.put_object_tagging, **where, Tagging=too_many) == (400, "BadRequest")
    assert code_of(s3.put_object, **where, Body=b"x", Tagging="a=1&a=2") == (400, "InvalidTag")
    absent = {"Bucket": bucket, "Key": "absent"}
    assert code_of(s3.get_object_tagging, **absent) == (404, "NoSuchKey")
    assert code_of(s3.put_object_tagging, **absent, Tagging=tag_set()) == (404, "NoSuchKey")


def test_tags_of_versions(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "key"}
    first = s3.put_object(**where, Body=b"1", Tagging="n=1")["VersionId"]
    second = s3.put_object(**where, Body=b"2", Tagging="n=2")["VersionId"]
    answer = s3.put_object_tagging(**where, VersionId=first, Tagging=tag_set(n="changed"))
    assert answer["VersionId"] == first
    tags = s3.get_object_tagging(**where, VersionId=first)
    assert (tags["VersionId"], tags["TagSet"]) == (first, tag_set(n="changed")["TagSet"])
    assert s3.get_object_tagging(**where)["TagSet"] == tag_set(n="2")["TagSet"]
    assert s3.delete_object_tagging(**where)["VersionId"] == second
    marker = s3.delete_object(**where)["VersionId"]
    assert code_of(s3.get_object_tagging, **where, VersionId=marker) == (405, "MethodNotAllowed")


def test_tags_of_a_bucket(s3: Any, bucket: str) -> None:
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")
    s3.put_bucket_tagging(Bucket=bucket, Tagging=tag_set(team="x"))
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tag_set(team="x")["TagSet"]
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    s3.delete_bucket_tagging(Bucket=bucket)
    assert code_of(s3.get_bucket_tagging, Bucket=bucket) == (404, "NoSuchTagSet")


def test_tags_and_storage_class_of_copies_and_uploads(s3: Any, bucket: str) -> None:
    source = {"Bucket": bucket, "Key": "source"}
    options = {"Tagging": "a=1", "StorageClass": "STANDARD_IA", "Metadata": {"kept": "yes"}}
    s3.put_object(**source, Body=b"x", **options)
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    plain = s3.head_object(Bucket=bucket, Key="plain")
    assert "StorageClass" not in plain
    assert plain["Metadata"] == {"kept": "yes"}
    assert s3.get_object_tagging(Bucket=bucket, Key="plain")["TagSet"] == tag_set(a="1")["TagSet"]
    s3.copy_object(
        Bucket=bucket,
        Key="other",
        CopySource=source,
        TaggingDirective="REPLACE",
        Tagging="b=2",
        StorageClass="ONEZONE_IA",
    )
    other = s3.head_object(Bucket=bucket, Key="other")
    assert (other["StorageClass"], other["Metadata"]) == ("ONEZONE_IA", {"kept": "yes"})
    assert s3.get_object_tagging(Bucket=bucket, Key="other")["TagSet"] == tag_set(b="2")["TagSet"]
    # In place: a change of class is a change, a new set of tags is none.
    refused = code_of(
        s3.copy_object, **source, CopySource=source, TaggingDirective="REPLACE", Tagging="c=3"
    )
    assert refused == (400, "InvalidRequest")
    s3.copy_object(**source, CopySource=source, StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(**source)
    upload_in_parts(s3, bucket, "parts", [b"x"], Tagging="d=4", StorageClass="GLACIER_IR")
    assert s3.head_object(Bucket=bucket, Key="parts")["StorageClass"] == "GLACIER_IR"
    assert s3.get_object_tagging(Bucket=bucket, Key="parts")["TagSet"] == tag_set(d="4")["TagSet"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert {item["Key"]: item["StorageClass"] for item in listed} == {
        "other": "ONEZONE_IA",
        "parts": "GLACIER_IR",
        "plain": "STANDARD",
        "source": "STANDARD",
    }
    refused = code_of(s3.put_object, Bucket=bucket, Key="x", Body=b"x", StorageClass="GLACIER")
    assert refused == (400, "InvalidStorageClass")
    refused = code_of(
        s3.copy_object, Bucket=bucket, Key="x", CopySource=source, TaggingDirective="MOVE"
    )
    assert refused == (400, "InvalidArgument")


def test_attributes_of_an_object(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    put = s3.put_object(**where, Body=b"content", ChecksumAlgorithm="SHA256")
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    answer = s3.get_object_attributes(**where, ObjectAttributes=names)
    assert answer["ETag"] == put["ETag"].strip('"')
    assert answer["Checksum"] == {
        "ChecksumSHA256": put["ChecksumSHA256"],
        "ChecksumType": "FULL_OBJECT",
    }
    assert (answer["StorageClass"], answer["ObjectSize"]) == ("STANDARD", 7)
    assert "ObjectParts" not in answer
    assert answer["LastModified"] == s3.head_object(**where)["LastModified"]
    answer = s3.get_object_attributes(**where, ObjectAttributes=["ObjectSize"])
    assert answer["ObjectSize"] == 7
    assert "ETag" not in answer
    refused = code_of(s3.get_object_attributes, **where, ObjectAttributes=["Colour"])
    assert refused == (400, "InvalidArgument")
    refused = code_of(
        s3.get_object_attributes, Bucket=bucket, Key="absent", ObjectAttributes=["ETag"]
    )
    assert refused == (404, "NoSuchKey")


def test_attributes_of_parts_and_versions(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "key"}
    parts = [b"1" * 5 * MIB, b"2" * 5 * MIB, b"3"]
    upload_in_parts(s3, bucket, "key", parts, ChecksumAlgorithm="CRC32C")
    version_id = s3.head_object(**where)["VersionId"]
    s3.put_object(**where, Body=b"newer")
    answer = s3.get_object_attributes(
        **where, VersionId=version_id, ObjectAttributes=["ObjectParts", "ObjectSize"], MaxParts=2
    )
    assert (answer["VersionId"], answer["ObjectSize"]) == (version_id, 10 * MIB + 1)
    page = answer["ObjectParts"]
    assert (page["TotalPartsCount"], page["IsTruncated"], page["MaxParts"]) == (3, True, 2)
    assert [(part["PartNumber"], part["Size"]) for part in page["Parts"]] == [
        (1, 5 * MIB),
        (2, 5 * MIB),
    ]
    assert all("ChecksumCRC32C" in part for part in page["Parts"])
    page = s3.get_object_attributes(
        **where,
        VersionId=version_id,
        ObjectAttributes=["ObjectParts"],
        PartNumberMarker=page["NextPartNumberMarker"],
    )["ObjectParts"]
    assert ([part["PartNumber"] for part in page["Parts"]], page["IsTruncated"]) == ([3], False)


def test_a_part_of_a_version_is_read_by_its_number(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "key"}
    upload_in_parts(s3, bucket, "key", [b"1" * 5 * MIB, b"22"])
    version_id = s3.head_object(**where)["VersionId"]
    s3.put_object(**where, Body=b"newer")
    answer = s3.get_object(**where, VersionId=version_id, PartNumber=2)
    assert (answer["Body"].read(), answer["PartsCount"]) == (b"22", 2)
    assert s3.head_object(**where, VersionId=version_id, PartNumber=1)["ContentLength"] == 5 * MIB
    refused = code_of(s3.get_object, **where, VersionId=version_id, PartNumber=3)
    assert refused == (416, "InvalidPartNumber")
