"""Operations on the settings of buckets: documents that are read, written and deleted whole."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import partial

from ingot.base.errors import UsageError
from ingot.base.units import KIB
from ingot.s3 import lifecyclerules
from ingot.s3.documents import (
    buckets,
    cors,
    encryption,
    lifecycle,
    lock,
    notification,
    replication,
    tagging,
)
from ingot.s3.documents.cors import CorsRule
from ingot.s3.documents.encryption import BucketEncryption
from ingot.s3.documents.lifecycle import LifecycleRule
from ingot.s3.documents.lock import LockConfiguration
from ingot.s3.documents.notification import Notifications
from ingot.s3.documents.replication import Replication
from ingot.s3.errors import S3Error
from ingot.s3client.body import BytesBody
from ingot.s3client.caller import Call, Caller

# Amazon's limit is 20 KiB; white space may come on top.
POLICY_BYTES_MAX = 128 * KIB


class SettingOperations(Caller):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`.

    What was never set is a `ServiceNotFoundError`, as it is for S3, unless a method says other.
    """

    def put_bucket_versioning(self, bucket: str, status: str) -> None:
        """Turn versions on (`Enabled`) or stop making them (`Suspended`)."""
        self._put(bucket, "versioning", buckets.render_versioning(status))

    def get_bucket_tagging(self, bucket: str) -> dict[str, str]:
        """Return a bucket's tags."""
        return self.parsed(_get(bucket, "tagging"), tagging.parse_answer)

    def put_bucket_tagging(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Replace a bucket's tags."""
        self._put(bucket, "tagging", tagging.render(tags))

    def delete_bucket_tagging(self, bucket: str) -> None:
        """Take a bucket's tags away."""
        self._delete(bucket, "tagging")

    def get_object_lock_configuration(self, bucket: str) -> LockConfiguration:
        """Return whether objects can be locked, and how new ones are."""
        return self.parsed(_get(bucket, "object-lock"), lock.parse_configuration)

    def put_object_lock_configuration(self, bucket: str, configuration: LockConfiguration) -> None:
        """Say how new objects are locked."""
        self._put(bucket, "object-lock", lock.render_configuration(configuration))

    def get_bucket_lifecycle_configuration(self, bucket: str) -> list[LifecycleRule]:
        """Return the rules by which objects expire and move."""
        return self.parsed(_get(bucket, "lifecycle"), lifecycle.parse)

    def put_bucket_lifecycle_configuration(
        self, bucket: str, rules: Sequence[LifecycleRule]
    ) -> None:
        """Replace the rules by which objects expire and move.

        Raises:
            UsageError: S3 does not have such rules.
        """
        try:
            lifecyclerules.check(rules)
        except S3Error as error:
            raise UsageError(f"{bucket}: {error.message}") from error
        self._put(bucket, "lifecycle", lifecycle.render(rules))

    def delete_bucket_lifecycle(self, bucket: str) -> None:
        """Take all of those rules away."""
        self._delete(bucket, "lifecycle")

    def get_bucket_notification_configuration(self, bucket: str) -> Notifications:
        """Return which events are told to whom; empty where nothing was ever set."""
        return self.parsed(_get(bucket, "notification"), partial(notification.parse, lenient=True))

    def put_bucket_notification_configuration(
        self, bucket: str, notifications: Notifications
    ) -> None:
        """Replace which events are told to whom."""
        self._put(bucket, "notification", notification.render(notifications))

    def get_bucket_cors(self, bucket: str) -> list[CorsRule]:
        """Return what pages of other origins may do."""
        return self.parsed(_get(bucket, "cors"), cors.parse)

    def put_bucket_cors(self, bucket: str, rules: Sequence[CorsRule]) -> None:
        """Replace what pages of other origins may do."""
        self._put(bucket, "cors", cors.render(rules))

    def delete_bucket_cors(self, bucket: str) -> None:
        """Let no other origin's pages do anything."""
        self._delete(bucket, "cors")

    def get_bucket_encryption(self, bucket: str) -> BucketEncryption:
        """Return how new objects are encrypted."""
        return self.parsed(_get(bucket, "encryption"), encryption.parse)

    def put_bucket_encryption(self, bucket: str, setting: BucketEncryption) -> None:
        """Say how new objects are encrypted."""
        self._put(bucket, "encryption", encryption.render(setting))

    def delete_bucket_encryption(self, bucket: str) -> None:
        """Go back to what the service does by itself."""
        self._delete(bucket, "encryption")

    def get_bucket_replication(self, bucket: str) -> Replication:
        """Return what is copied to which other bucket."""
        return self.parsed(_get(bucket, "replication"), replication.parse)

    def put_bucket_replication(self, bucket: str, setting: Replication) -> None:
        """Replace what is copied to which other bucket."""
        self._put(bucket, "replication", replication.render(setting))

    def delete_bucket_replication(self, bucket: str) -> None:
        """Copy nothing any more."""
        self._delete(bucket, "replication")

    def get_bucket_policy(self, bucket: str) -> bytes:
        """Return the bucket's policy, a JSON document."""
        with self.send(_get(bucket, "policy")) as response:
            return response.read(POLICY_BYTES_MAX)

    def put_bucket_policy(self, bucket: str, policy: bytes) -> None:
        """Replace the bucket's policy."""
        self._put(bucket, "policy", policy, kind="application/json")

    def delete_bucket_policy(self, bucket: str) -> None:
        """Take the bucket's policy away."""
        self._delete(bucket, "policy")

    def _put(
        self, bucket: str, subresource: str, data: bytes, *, kind: str = "application/xml"
    ) -> None:
        self.finish(document_call("PUT", bucket, None, subresource, data, kind=kind))

    def _delete(self, bucket: str, subresource: str) -> None:
        self.finish(Call("DELETE", bucket, query=[(subresource, "")]))


def document_call(
    method: str,
    bucket: str,
    key: str | None,
    subresource: str,
    data: bytes,
    *,
    version_id: str | None = None,
    kind: str = "application/xml",
    headers: Mapping[str, str] | None = None,
    further: Sequence[tuple[str, str]] = (),
) -> Call:
    """Return the call that sends a document, with both checksums that services may insist on."""
    md5 = hashlib.md5(data, usedforsecurity=False).digest()
    query = [(subresource, ""), *further]
    if version_id is not None:
        query.append(("versionId", version_id))
    return Call(
        method,
        bucket,
        key,
        query=query,
        headers={
            "content-md5": base64.b64encode(md5).decode("ascii"),
            "content-type": kind,
            **(headers or {}),
        },
        body=BytesBody(data),
        checksummed=True,
    )


def _get(bucket: str, subresource: str) -> Call:
    return Call("GET", bucket, query=[(subresource, "")])
