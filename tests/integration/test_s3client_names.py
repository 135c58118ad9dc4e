"""Names that no request can carry: refused, and never taken for the name of something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingot.base.errors import UsageError
from ingot.s3client import Attributes, ByteRange, CopySource, S3Client, connect


@pytest.fixture
def client(server: Any) -> Iterator[S3Client]:
    with connect(server.endpoint, server.access_key, server.secret_key) as made:
        yield made


ABOUT_AN_OBJECT: list[Callable[[S3Client, str, str], object]] = [
    lambda client, bucket, key: client.put_object(bucket, key, b""),
    lambda client, bucket, key: client.get_object(bucket, key),
    lambda client, bucket, key: client.head_object(bucket, key),
    lambda client, bucket, key: client.delete_object(bucket, key),
    lambda client, bucket, key: client.copy_object("b", "k", bucket, key),
    lambda client, bucket, key: client.create_multipart_upload(bucket, key),
    lambda client, bucket, key: client.upload_part(bucket, key, "u", 1, b""),
    lambda client, bucket, key: client.upload_part_copy(
        CopySource("b", "k"), bucket, key, "u", 1, part=ByteRange(0, 1)
    ),
    lambda client, bucket, key: client.abort_multipart_upload(bucket, key, "u"),
    lambda client, bucket, key: client.get_object_tagging(bucket, key),
    lambda client, bucket, key: client.delete_object_tagging(bucket, key),
    lambda client, bucket, key: client.put_object_legal_hold(bucket, key, on=True),
    lambda client, bucket, key: client.presigned_url("DELETE", bucket, key, expires_s=1),
]


@pytest.mark.parametrize("operation", ABOUT_AN_OBJECT)
@pytest.mark.parametrize(("bucket", "key"), [("nameless", ""), ("", "k"), ("name/less", "k")])
def test_an_object_without_a_name_is_not_its_bucket(
    client: S3Client, operation: Callable[[S3Client, str, str], object], bucket: str, key: str
) -> None:
    if not any(made.name == "nameless" for made in client.list_buckets()):
        client.create_bucket("nameless")
    with pytest.raises(UsageError):
        operation(client, bucket, key)
    client.head_bucket("nameless")


@pytest.mark.parametrize("bucket", ["nameless/k", ".", ".."])
def test_a_bucket_is_not_an_object(client: S3Client, bucket: str) -> None:
    for operation in (client.delete_bucket, client.head_bucket, client.create_bucket):
        with pytest.raises(UsageError):
            operation(bucket)


def test_what_is_no_text_is_refused(client: S3Client) -> None:
    with pytest.raises(UsageError, match="Unicode"):
        client.put_object("b", "\udcff", b"")
    with pytest.raises(UsageError, match="Unicode"):
        client.list_objects_v2("bkt", prefix="\udcff")
    with pytest.raises(UsageError, match="Unicode"):
        client.presigned_url("GET", "b", "\udcff", expires_s=1)
    with pytest.raises(UsageError, match="Latin-1"):
        client.put_object("b", "k", b"", attributes=Attributes(metadata={"a": "\u20ac"}))


@pytest.mark.parametrize("expires_s", [-1, 0, 7 * 24 * 3600 + 1])
def test_links_for_ever_are_refused(client: S3Client, expires_s: int) -> None:
    with pytest.raises(UsageError, match=str(expires_s)):
        client.presigned_url("GET", "b", "k", expires_s=expires_s)
    if expires_s < 1:
        with pytest.raises(UsageError, match=str(expires_s)):
            client.presigned_form("b", "k", expires_s=expires_s)


@pytest.mark.parametrize(("access_key", "secret_key"), [("a", ""), ("", "s")])
def test_half_a_pair_of_keys_is_none(access_key: str, secret_key: str) -> None:
    with (
        pytest.raises(UsageError, match="belong together"),
        connect("http://h", access_key, secret_key),
    ):
        pass
