"""Multipart uploads through boto3."""

from __future__ import annotations

import hashlib
import io
import os
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

MIB = 1 << 20
PART = 5 * MIB


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def upload(s3: Any, bucket: str, key: str, *bodies: bytes, **options: Any) -> tuple[str, list[Any]]:
    """Begin an upload and send its parts."""
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(
            Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=body
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    return upload_id, parts


def complete(
    s3: Any, bucket: str, key: str, upload_id: str, parts: list[Any], **options: Any
) -> Any:
    return s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload_id,
        MultipartUpload={"Parts": parts},
        **options,
    )


def test_parts_become_one_object(s3: Any, bucket: str) -> None:
    bodies = [os.urandom(PART), os.urandom(PART), os.urandom(1000)]
    upload_id, parts = upload(
        s3, bucket, "key", *bodies, Metadata={"a": "b"}, ContentType="text/plain"
    )

    done = complete(s3, bucket, "key", upload_id, parts)

    whole = b"".join(bodies)
    md5s = b"".join(hashlib.md5(body).digest() for body in bodies)
    assert done["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="key")
    assert got["Body"].read() == whole
    assert (got["Metadata"], got["ContentType"]) == ({"a": "b"}, "text/plain")
    edge = s3.get_object(Bucket=bucket, Key="key", Range=f"bytes={PART - 3}-{2 * PART + 2}")
    assert edge["Body"].read() == whole[PART - 3 : 2 * PART + 3]
    second = s3.get_object(Bucket=bucket, Key="key", PartNumber=2)
    assert second["Body"].read() == bodies[1]
    assert second["PartsCount"] == 3
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="key", PartNumber=4)
    assert code_of(caught) == (416, "InvalidPartNumber")


def test_the_transfer_manager_goes_both_ways(s3: Any, bucket: str) -> None:
    body = os.urandom(3 * PART + 1)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    s3.upload_fileobj(io.BytesIO(body), bucket, "key", Config=config)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "key", back, Config=config)

    assert back.getvalue() == body


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_checksums_of_parts_become_that_of_the_object(
    s3: Any, bucket: str, name: str, kind: str
) -> None:
    bodies = [os.urandom(PART), os.urandom(10)]
    upload_id = s3.create_multipart_upload(
        Bucket=bucket, Key="key", ChecksumAlgorithm=name, ChecksumType=kind
    )["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(
            Bucket=bucket,
            Key="key",
            UploadId=upload_id,
            PartNumber=number,
            Body=body,
            ChecksumAlgorithm=name,
        )
        parts.append(
            {
                "PartNumber": number,
                "ETag": answer["ETag"],
                f"Checksum{name}": answer[f"Checksum{name}"],
            }
        )
    listed = s3.list_parts(Bucket=bucket, Key="key", UploadId=upload_id)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (name, kind)

    done = complete(s3, bucket, "key", upload_id, parts)

    whole = s3.put_object(
        Bucket=bucket, Key="whole", Body=b"".join(bodies), ChecksumAlgorithm=name
    )[f"Checksum{name}"]
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert head[f"Checksum{name}"] == done[f"Checksum{name}"]
    assert head["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        assert head[f"Checksum{name}"] == whole
    else:
        assert head[f"Checksum{name}"].endswith("-2")


def test_completions_that_are_refused_leave_the_upload(s3: Any, bucket: str) -> None:
    upload_id, parts = upload(s3, bucket, "key", os.urandom(1000), os.urandom(1000))
    first, second = parts

    for named, expected in (
        ([second, first], (400, "InvalidPartOrder")),
        ([{**first, "ETag": '"' + "0" * 32 + '"'}], (400, "InvalidPart")),
        ([first, {"PartNumber": 3, "ETag": second["ETag"]}], (400, "InvalidPart")),
        ([first, second], (400, "EntityTooSmall")),
        ([], (400, "MalformedXML")),
    ):
        with pytest.raises(ClientError) as caught:
            complete(s3, bucket, "key", upload_id, named)
        assert code_of(caught) == expected
    with pytest.raises(ClientError) as caught:
        complete(s3, bucket, "key", upload_id, [first], MpuObjectSize=5)
    assert code_of(caught)[0] == 400

    complete(s3, bucket, "key", upload_id, [second])
    assert s3.head_object(Bucket=bucket, Key="key")["ContentLength"] == 1000


def test_completing_again_answers_the_same(s3: Any, bucket: str) -> None:
    upload_id, parts = upload(s3, bucket, "key", b"x")

    answers = [complete(s3, bucket, "key", upload_id, parts)["ETag"] for _ in range(2)]

    assert answers[0] == answers[1]


def test_a_completion_may_be_conditional(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"there first")
    upload_id, parts = upload(s3, bucket, "key", b"x")

    with pytest.raises(ClientError) as caught:
        complete(s3, bucket, "key", upload_id, parts, IfNoneMatch="*")

    assert code_of(caught) == (412, "PreconditionFailed")


def test_an_aborted_upload_is_gone(s3: Any, bucket: str) -> None:
    upload_id, parts = upload(s3, bucket, "key", b"x")

    s3.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload_id)

    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    for operation in (
        lambda: complete(s3, bucket, "key", upload_id, parts),
        lambda: s3.abort_multipart_upload(Bucket=bucket, Key="key", UploadId=upload_id),
        lambda: s3.list_parts(Bucket=bucket, Key="key", UploadId=upload_id),
        lambda: s3.upload_part(
            Bucket=bucket, Key="key", UploadId=upload_id, PartNumber=1, Body=b"x"
        ),
        lambda: s3.list_parts(Bucket=bucket, Key="key", UploadId="../%00"),
    ):
        with pytest.raises(ClientError) as caught:
            operation()
        assert code_of(caught) == (404, "NoSuchUpload")


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_have_bounds(s3: Any, bucket: str, number: int) -> None:
    upload_id, _ = upload(s3, bucket, "key")

    with pytest.raises(ClientError) as caught:
        s3.upload_part(Bucket=bucket, Key="key", UploadId=upload_id, PartNumber=number, Body=b"x")

    assert code_of(caught) == (400, "InvalidArgument")


def test_parts_and_uploads_are_listed_in_pages(s3: Any, bucket: str) -> None:
    upload_id, _ = upload(s3, bucket, "a/1", b"1", b"22", b"333")
    upload(s3, bucket, "a/2")
    upload(s3, bucket, "b")
    upload(s3, bucket, "b")

    parts = [
        (part["PartNumber"], part["Size"])
        for page in s3.get_paginator("list_parts").paginate(
            Bucket=bucket, Key="a/1", UploadId=upload_id, PaginationConfig={"PageSize": 2}
        )
        for part in page["Parts"]
    ]
    assert parts == [(1, 1), (2, 2), (3, 3)]
    uploads = [
        item["Key"]
        for page in s3.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 1}
        )
        for item in page["Uploads"]
    ]
    assert uploads == ["a/1", "a/2", "b", "b"]
    rolled_up = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [p["Prefix"] for p in rolled_up["CommonPrefixes"]] == ["a/"]
    assert [u["Key"] for u in rolled_up["Uploads"]] == ["b", "b"]


def test_parts_may_be_copied_from_objects(s3: Any, bucket: str) -> None:
    body = os.urandom(PART + 1000)
    s3.put_object(Bucket=bucket, Key="source", Body=body)
    upload_id, _ = upload(s3, bucket, "key")
    parts = []
    for number, asked in enumerate([{}, {"CopySourceRange": "bytes=10-19"}], 1):
        answer = s3.upload_part_copy(
            Bucket=bucket,
            Key="key",
            UploadId=upload_id,
            PartNumber=number,
            CopySource=f"{bucket}/source",
            **asked,
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})

    complete(s3, bucket, "key", upload_id, parts)

    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == body + body[10:20]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=5-4", (400, "InvalidArgument")),
        ("bytes=0-", (400, "InvalidArgument")),
        ("bytes=0-10", (416, "InvalidRange")),
    ],
)
def test_ranges_of_copied_parts_are_strict(
    s3: Any, bucket: str, asked: str, expected: tuple[int, str]
) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    upload_id, _ = upload(s3, bucket, "key")

    with pytest.raises(ClientError) as caught:
        s3.upload_part_copy(
            Bucket=bucket,
            Key="key",
            UploadId=upload_id,
            PartNumber=1,
            CopySource=f"{bucket}/source",
            CopySourceRange=asked,
        )

    assert code_of(caught) == expected


def test_a_part_with_another_checksum_than_the_upload_is_refused(s3: Any, bucket: str) -> None:
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")[
        "UploadId"
    ]

    with pytest.raises(ClientError) as caught:
        s3.upload_part(
            Bucket=bucket,
            Key="key",
            UploadId=upload_id,
            PartNumber=1,
            Body=b"x",
            ChecksumAlgorithm="CRC32",
        )

    assert code_of(caught) == (400, "InvalidRequest")


def test_conditions_on_the_source_of_a_part(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="source", Body=b"source")["ETag"]
    upload_id, _ = upload(s3, bucket, "key")
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload_id, "PartNumber": 1}
    source = {"CopySource": f"{bucket}/source"}

    for condition in ({"CopySourceIfMatch": '"x"'}, {"CopySourceIfNoneMatch": etag}):
        with pytest.raises(ClientError) as caught:
            s3.upload_part_copy(**where, **source, **condition)
        assert code_of(caught) == (412, "PreconditionFailed")
    copied = s3.upload_part_copy(**where, **source, CopySourceIfMatch=etag)
    assert copied["CopyPartResult"]["ETag"] == etag


def test_a_part_that_is_sent_again_replaces_the_first(s3: Any, bucket: str) -> None:
    upload_id, (old,) = upload(s3, bucket, "key", b"old content")
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload_id, "PartNumber": 1}
    new = s3.upload_part(**where, Body=b"new")

    with pytest.raises(ClientError) as caught:
        complete(s3, bucket, "key", upload_id, [old])
    assert code_of(caught) == (400, "InvalidPart")
    listed = s3.list_parts(Bucket=bucket, Key="key", UploadId=upload_id)["Parts"]
    assert [(part["ETag"], part["Size"]) for part in listed] == [(new["ETag"], 3)]
    complete(s3, bucket, "key", upload_id, [{"PartNumber": 1, "ETag": new["ETag"]}])
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"new"


@pytest.mark.parametrize("name", ["CRC32", "CRC32C", "CRC64NVME"])
def test_an_object_must_have_the_checksum_that_its_completion_names(
    s3: Any, bucket: str, name: str
) -> None:
    bodies = [os.urandom(PART), b"end"]
    where = {"Bucket": bucket, "Key": "key"}
    upload_id = s3.create_multipart_upload(
        **where, ChecksumAlgorithm=name, ChecksumType="FULL_OBJECT"
    )["UploadId"]
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(
            **where, UploadId=upload_id, PartNumber=number, Body=body, ChecksumAlgorithm=name
        )
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    field = f"Checksum{name}"
    right, wrong = (
        s3.put_object(Bucket=bucket, Key="whole", Body=body, ChecksumAlgorithm=name)[field]
        for body in (b"".join(bodies), b"other")
    )

    with pytest.raises(ClientError) as caught:
        complete(s3, bucket, "key", upload_id, parts, **{field: wrong})
    assert code_of(caught) == (400, "BadDigest")
    done = complete(s3, bucket, "key", upload_id, parts, **{field: right})
    assert done[field] == right
