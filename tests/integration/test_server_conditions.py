"""Conditional writes and deletions on a real server: they hold, and races have one winner."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

WRITERS = 12
ROUNDS = 5


def code_of(call: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def race(clients: list[Any], act: Callable[[Any, int], None]) -> list[int]:
    """Let every client act at the same time; return who succeeded, the others meeting 412."""
    winners: list[int] = []
    codes: list[str] = []
    barrier = threading.Barrier(len(clients))

    def run(number: int) -> None:
        barrier.wait(30)
        try:
            act(clients[number], number)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
        else:
            winners.append(number)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {"PreconditionFailed"}
    assert len(winners) + len(codes) == len(clients)
    return winners


@pytest.fixture
def clients(server: Any, new_client: Callable[..., Any], bucket: str) -> list[Any]:
    """Return clients with connections of their own: the kernel spreads them over the workers."""
    made = [new_client(server) for _ in range(WRITERS)]
    for client in made:
        client.head_bucket(Bucket=bucket)
    return made


@pytest.mark.parametrize("versioning", [False, True])
@pytest.mark.parametrize("size_bytes", [100, 100_000])
def test_of_many_first_writers_one_wins(
    s3: Any, bucket: str, clients: list[Any], size_bytes: int, *, versioning: bool
) -> None:
    if versioning:
        configuration = {"Status": "Enabled"}
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=configuration)
    for index in range(ROUNDS):
        where = {"Bucket": bucket, "Key": f"key{index}"}

        def act(client: Any, number: int, where: dict[str, str] = where) -> None:
            client.put_object(**where, Body=bytes([number]) * size_bytes, IfNoneMatch="*")

        winners = race(clients, act)
        assert len(winners) == 1
        assert s3.get_object(**where)["Body"].read() == bytes([winners[0]]) * size_bytes
        # A deleted key is free again, with versions too.
        s3.delete_object(**where)
        assert len(race(clients, act)) == 1


def test_of_many_replacing_writers_one_wins(s3: Any, bucket: str, clients: list[Any]) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    etag = s3.put_object(**where, Body=b"first")["ETag"]
    for index in range(ROUNDS):

        def act(client: Any, number: int, index: int = index, etag: str = etag) -> None:
            client.put_object(**where, Body=b"%d %d" % (index, number), IfMatch=etag)

        (winner,) = race(clients, act)
        answer = s3.get_object(**where)
        assert answer["Body"].read() == b"%d %d" % (index, winner)
        etag = answer["ETag"]


def test_of_many_completions_one_wins(s3: Any, bucket: str, clients: list[Any]) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    uploads = []
    for number in range(len(clients)):
        upload_id = s3.create_multipart_upload(**where)["UploadId"]
        part = s3.upload_part(**where, UploadId=upload_id, PartNumber=1, Body=b"%d" % number)
        uploads.append((upload_id, [{"PartNumber": 1, "ETag": part["ETag"]}]))

    def act(client: Any, number: int) -> None:
        upload_id, parts = uploads[number]
        client.complete_multipart_upload(
            **where, UploadId=upload_id, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
        )

    (winner,) = race(clients, act)
    assert s3.get_object(**where)["Body"].read() == b"%d" % winner
    # The winner may ask again, as after a lost answer.
    act(s3, winner)


def test_a_completion_may_demand_what_it_replaces(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    etag = s3.put_object(**where, Body=b"first")["ETag"]
    upload_id = s3.create_multipart_upload(**where)["UploadId"]
    part = s3.upload_part(**where, UploadId=upload_id, PartNumber=1, Body=b"second")
    request = where | {
        "UploadId": upload_id,
        "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    }
    refused = code_of(s3.complete_multipart_upload, **request, IfMatch='"other"')
    assert refused == (412, "PreconditionFailed")
    s3.complete_multipart_upload(**request, IfMatch=etag)
    assert s3.get_object(**where)["Body"].read() == b"second"


def test_conditional_deletions(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    etag = s3.put_object(**where, Body=b"content")["ETag"]
    modified = s3.head_object(**where)["LastModified"]
    other = datetime(2020, 1, 1, tzinfo=UTC)
    for wrong in (
        {"IfMatch": '"other"'},
        {"IfMatch": etag, "IfMatchSize": 8},
        {"IfMatchLastModifiedTime": other},
    ):
        assert code_of(s3.delete_object, **where, **wrong) == (412, "PreconditionFailed")
    right = {"IfMatch": etag, "IfMatchSize": 7, "IfMatchLastModifiedTime": modified}
    s3.delete_object(**where, **right)
    assert code_of(s3.delete_object, **where, IfMatch="*") == (404, "NoSuchKey")
    s3.delete_object(**where)


def test_conditional_deletions_of_many(s3: Any, bucket: str) -> None:
    etags = {}
    for key in "abc":
        etags[key] = s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["ETag"]
    objects = [
        {"Key": "a", "ETag": etags["a"], "Size": 1},
        {"Key": "b", "ETag": etags["a"]},
        {"Key": "c"},
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert {item["Key"] for item in answer["Deleted"]} == {"a", "c"}
    assert [(e["Key"], e["Code"]) for e in answer["Errors"]] == [("b", "PreconditionFailed")]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]


def test_a_condition_on_a_version(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    where = {"Bucket": bucket, "Key": "key"}
    first = s3.put_object(**where, Body=b"first")
    second = s3.put_object(**where, Body=b"second")
    version = where | {"VersionId": first["VersionId"]}
    refused = code_of(s3.delete_object, **version, IfMatch=second["ETag"])
    assert refused == (412, "PreconditionFailed")
    s3.delete_object(**version, IfMatch=first["ETag"])
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [item["VersionId"] for item in listed] == [second["VersionId"]]
