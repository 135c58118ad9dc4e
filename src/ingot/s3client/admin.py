"""Operations of MinIO's admin API on servers and buckets, which services of its kind have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ingot.s3client.admincaller import AdminCaller, admin_call

# Its library takes longer to import than most commands take otherwise.
if TYPE_CHECKING:
    from ingot.s3client.quotas import BucketQuota


class AdminOperations(AdminCaller):
    """Methods named as the admin operations; each raises `ServiceError` or `NetworkError`."""

    def server_info(self) -> dict[str, Any]:
        """Return what the service is and holds, as it tells it."""
        return self._told(admin_call("GET", "info"), dict[str, Any])

    def get_bucket_quota(self, bucket: str) -> BucketQuota:
        """Return how much a bucket may hold."""
        from ingot.s3client.quotas import BucketQuota

        query = [("bucket", bucket)]
        return self._told(admin_call("GET", "get-bucket-quota", bucket, query=query), BucketQuota)

    def set_bucket_quota(self, bucket: str, limit_bytes: int) -> None:
        """Let a bucket hold so much; 0 for as much as there is room for."""
        from ingot.s3client.quotas import render

        query, data = [("bucket", bucket)], render(limit_bytes)
        self.finish(admin_call("PUT", "set-bucket-quota", bucket, query=query, data=data))
