"""Buckets and listings through boto3."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

KEYS = ["a", "a/1", "a/2", "b/x/1", "b/y", "c", "d e+f", "é/1"]


@pytest.fixture(scope="module")
def filled(s3: Any) -> str:
    name = f"listed-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    for key in KEYS:
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    return name


def code_of(error: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_a_bucket_comes_and_goes(s3: Any) -> None:
    name = f"b-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)

    assert name in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket=name)
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)
    assert code_of(caught) == (409, "BucketAlreadyOwnedByYou")

    s3.put_object(Bucket=name, Key="key", Body=b"x")
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=name)
    assert code_of(caught) == (409, "BucketNotEmpty")
    s3.delete_object(Bucket=name, Key="key")
    s3.delete_bucket(Bucket=name)
    with pytest.raises(ClientError) as caught:
        s3.delete_bucket(Bucket=name)
    assert code_of(caught) == (404, "NoSuchBucket")


@pytest.mark.parametrize("name", ["minio", "192.168.1.1", "xn--bucket"])
def test_names_that_no_bucket_may_have(s3: Any, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)

    assert code_of(caught) == (400, "InvalidBucketName")


def test_buckets_are_listed_by_prefix_and_page(s3: Any) -> None:
    stem = f"p-{secrets.token_hex(6)}-"
    names = [f"{stem}{index}" for index in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)

    pages = list(
        s3.get_paginator("list_buckets").paginate(Prefix=stem, PaginationConfig={"PageSize": 2})
    )

    assert [len(page["Buckets"]) for page in pages] == [2, 2, 1]
    assert [b["Name"] for page in pages for b in page["Buckets"]] == names


def test_a_region_is_told_and_enforced_once_it_is_set(
    start_server: Callable[..., Any], new_client: Callable[..., Any], tmp_path: Path
) -> None:
    running = start_server(tmp_path / "data", "--region", "eu-test-1", workers=1)

    with pytest.raises(ClientError) as caught:
        new_client(running).list_buckets()

    assert code_of(caught) == (400, "AuthorizationHeaderMalformed")
    assert caught.value.response["Error"]["Region"] == "eu-test-1"


def test_every_region_is_accepted_while_none_is_set(s3: Any) -> None:
    name = f"r-{secrets.token_hex(6)}"

    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    s3.head_bucket(Bucket=name)


def test_all_keys_in_order_of_their_bytes(s3: Any, filled: str) -> None:
    for answer in (s3.list_objects(Bucket=filled), s3.list_objects_v2(Bucket=filled)):
        assert [o["Key"] for o in answer["Contents"]] == KEYS
        assert [o["Size"] for o in answer["Contents"]] == [len(key.encode()) for key in KEYS]
        assert not answer["IsTruncated"]


@pytest.mark.parametrize(
    ("prefix", "delimiter", "keys", "prefixes"),
    [
        ("", "/", ["a", "c", "d e+f"], ["a/", "b/", "é/"]),
        ("b/", "/", ["b/y"], ["b/x/"]),
        ("a", "", ["a", "a/1", "a/2"], []),
        ("a/", "/", ["a/1", "a/2"], []),
        ("z", "/", [], []),
        ("", "e+", ["a", "a/1", "a/2", "b/x/1", "b/y", "c", "é/1"], ["d e+"]),
    ],
)
def test_prefixes_and_delimiters(
    s3: Any, filled: str, *, prefix: str, delimiter: str, keys: list[str], prefixes: list[str]
) -> None:
    for operation in (s3.list_objects, s3.list_objects_v2):
        answer = operation(Bucket=filled, Prefix=prefix, Delimiter=delimiter)
        assert [o["Key"] for o in answer.get("Contents", [])] == keys
        assert [p["Prefix"] for p in answer.get("CommonPrefixes", [])] == prefixes
    versions = s3.list_object_versions(Bucket=filled, Prefix=prefix, Delimiter=delimiter)
    assert [o["Key"] for o in versions.get("Versions", [])] == keys
    assert [p["Prefix"] for p in versions.get("CommonPrefixes", [])] == prefixes


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize(
    ("operation", "found"),
    [
        ("list_objects", "Contents"),
        ("list_objects_v2", "Contents"),
        ("list_object_versions", "Versions"),
    ],
)
def test_pages_add_up(
    s3: Any, filled: str, *, operation: str, found: str, delimiter: str, size: int
) -> None:
    pages = list(
        s3.get_paginator(operation).paginate(
            Bucket=filled, Delimiter=delimiter, PaginationConfig={"PageSize": size}
        )
    )

    keys = [o["Key"] for page in pages for o in page.get(found, [])]
    prefixes = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])]
    assert keys == (["a", "c", "d e+f"] if delimiter else KEYS)
    assert prefixes == (["a/", "b/", "é/"] if delimiter else [])
    assert all(len(page.get(found, [])) <= size for page in pages)


def test_a_page_of_nothing_is_whole(s3: Any, filled: str) -> None:
    answer = s3.list_objects_v2(Bucket=filled, MaxKeys=0)

    assert (answer["KeyCount"], answer["IsTruncated"], answer.get("Contents")) == (0, False, None)


def test_listing_may_begin_behind_a_key_and_tell_owners(s3: Any, filled: str) -> None:
    answer = s3.list_objects_v2(Bucket=filled, StartAfter="b/y", FetchOwner=True)

    assert [o["Key"] for o in answer["Contents"]] == ["c", "d e+f", "é/1"]
    assert len(answer["Contents"][0]["Owner"]["ID"]) == 64
    assert "Owner" not in s3.list_objects_v2(Bucket=filled)["Contents"][0]


@pytest.mark.parametrize(
    "options",
    [{"ContinuationToken": "not a token"}, {"EncodingType": "base64"}, {"MaxKeys": -1}],
)
def test_arguments_that_are_refused(s3: Any, filled: str, options: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as caught:
        s3.list_objects_v2(Bucket=filled, **options)

    assert code_of(caught) == (400, "InvalidArgument")


def test_versions_of_an_unversioned_bucket_are_all_null_and_latest(s3: Any, filled: str) -> None:
    answer = s3.list_object_versions(Bucket=filled)

    assert [v["Key"] for v in answer["Versions"]] == KEYS
    assert {(v["VersionId"], v["IsLatest"]) for v in answer["Versions"]} == {("null", True)}
