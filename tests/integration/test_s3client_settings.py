"""The client's settings operations against an independent service: what is put is got back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from ingot.base.errors import NotFoundError
from ingot.base.secret import Secret
from ingot.s3.documents.cors import CorsRule
from ingot.s3.documents.encryption import BucketEncryption
from ingot.s3.documents.lifecycle import Expiration, Filter, LifecycleRule
from ingot.s3.documents.lock import DefaultRetention, LockConfiguration, Retention
from ingot.s3.documents.notification import Hook, Notifications
from ingot.s3.documents.replication import Replication, ReplicationRule
from ingot.s3.sigv4 import Credentials
from ingot.s3client.caller import Call
from ingot.s3client.client import S3Client
from ingot.s3client.endpoint import Endpoint
from ingot.s3client.errors import ServiceUnsupportedError
from ingot.transport.pool import Transport


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport() as transport:
        yield transport


@pytest.fixture
def other(other_service: str, transport: Transport) -> S3Client:
    """The independent service."""
    keys = Credentials("any", Secret("thing"))
    return S3Client(Endpoint.parse(other_service), keys, transport=transport)


@pytest.fixture
def bucket(other: S3Client, request: Any) -> str:
    name = request.node.name.replace("_", "-")[:60].strip("-")
    other.create_bucket(name)
    return str(name)


def test_cors(other: S3Client, bucket: str) -> None:
    rules = [CorsRule(("https://*.example.com",), ("GET", "PUT"), ("x-*",), ("etag",), 60, "one")]
    with pytest.raises(NotFoundError):
        other.get_bucket_cors(bucket)
    other.put_bucket_cors(bucket, rules)
    assert rules == other.get_bucket_cors(bucket)
    other.delete_bucket_cors(bucket)
    with pytest.raises(NotFoundError):
        other.get_bucket_cors(bucket)


def test_lifecycle(other: S3Client, bucket: str) -> None:
    rules = [
        LifecycleRule("logs", filter=Filter("logs/", (("a", "b"),)), expiration=Expiration(3)),
        LifecycleRule("uploads", enabled=False, abort_days=1),
    ]
    other.put_bucket_lifecycle_configuration(bucket, rules)
    assert rules == other.get_bucket_lifecycle_configuration(bucket)
    other.delete_bucket_lifecycle(bucket)
    with pytest.raises(NotFoundError):
        other.get_bucket_lifecycle_configuration(bucket)


def test_encryption(other: S3Client, bucket: str) -> None:
    setting = BucketEncryption("aws:kms", "arn:aws:kms:us-east-1:123456789012:key/one")
    other.put_bucket_encryption(bucket, setting)
    assert setting == other.get_bucket_encryption(bucket)
    other.delete_bucket_encryption(bucket)


def test_notifications(other: S3Client, bucket: str) -> None:
    assert Notifications() == other.get_bucket_notification_configuration(bucket)
    hook = Hook("arn:aws:sqs:us-east-1:1:q", ("s3:ObjectCreated:*",), "in/", ".jpg", id="one")
    other.put_bucket_notification_configuration(bucket, Notifications((hook,)))
    assert Notifications((hook,)) == other.get_bucket_notification_configuration(bucket)
    other.put_bucket_notification_configuration(bucket, Notifications())
    assert Notifications() == other.get_bucket_notification_configuration(bucket)


def test_replication(other: S3Client, bucket: str) -> None:
    other.put_bucket_versioning(bucket, "Enabled")
    assert other.get_bucket_versioning(bucket) == "Enabled"
    rule = ReplicationRule("arn:aws:s3:::elsewhere", "one", 1)
    setting = Replication("arn:aws:iam::123456789012:role/r", (rule,))
    other.put_bucket_replication(bucket, setting)
    assert setting == other.get_bucket_replication(bucket)
    other.delete_bucket_replication(bucket)


def test_policy(other: S3Client, bucket: str) -> None:
    policy = b'{"Version":"2012-10-17","Statement":[]}'
    other.put_bucket_policy(bucket, policy)
    assert policy == other.get_bucket_policy(bucket)
    other.delete_bucket_policy(bucket)
    with pytest.raises(NotFoundError):
        other.get_bucket_policy(bucket)


def test_lock(other: S3Client) -> None:
    other.create_bucket("locked-bucket", with_lock=True)
    assert LockConfiguration() == other.get_object_lock_configuration("locked-bucket")
    default = LockConfiguration(default=DefaultRetention("GOVERNANCE", days=3))
    other.put_object_lock_configuration("locked-bucket", default)
    assert default == other.get_object_lock_configuration("locked-bucket")
    other.put_object("locked-bucket", "key", b"body")
    until_ns = (time.time_ns() // 10**9 + 1000) * 10**9
    other.put_object_retention("locked-bucket", "key", Retention("COMPLIANCE", until_ns))
    other.put_object_legal_hold("locked-bucket", "key", on=True)
    assert other.get_object_legal_hold("locked-bucket", "key") is True
    other.put_object_legal_hold("locked-bucket", "key", on=False)
    assert other.get_object_legal_hold("locked-bucket", "key") is False


def test_tags(other: S3Client, bucket: str) -> None:
    tags = {"a": "b+c", "d": ""}
    other.put_bucket_tagging(bucket, tags)
    assert tags == other.get_bucket_tagging(bucket)
    other.delete_bucket_tagging(bucket)
    other.put_object(bucket, "key", b"body")
    other.put_object_tagging(bucket, "key", tags)
    assert tags == other.get_object_tagging(bucket, "key")
    other.delete_object_tagging(bucket, "key")
    assert other.get_object_tagging(bucket, "key") == {}


def test_what_a_service_does_not_have_is_told_apart(server: Any, transport: Transport) -> None:
    keys = Credentials(server.access_key, Secret(server.secret_key))
    client = S3Client(Endpoint.parse(server.endpoint), keys, transport=transport)
    with pytest.raises(ServiceUnsupportedError, match="NotImplemented") as caught:
        client.finish(Call("GET", "any-bucket", "key", query=[("torrent", "")]))
    assert (caught.value.slug, caught.value.exit_code) == ("unsupported", 1)
    assert caught.value.hint is not None
