"""Operations of MinIO's admin API on buckets, which services of its kind offer beside S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingot.base.errors import NetworkError
from ingot.base.units import MIB
from ingot.s3.sigv4 import Query
from ingot.s3client.body import BytesBody
from ingot.s3client.caller import Call, Caller

# Its library takes longer to import than most commands take otherwise.
if TYPE_CHECKING:
    from ingot.s3client.quotas import BucketQuota

_PREFIX: Final = "/minio/admin/v3/"
_ANSWER_BYTES_MAX: Final = 1 * MIB


class AdminOperations(Caller):
    """Methods named as the admin operations; each raises `ServiceError` or `NetworkError`."""

    def get_bucket_quota(self, bucket: str) -> BucketQuota:
        """Return how much a bucket may hold."""
        from ingot.s3client.quotas import parse

        call = _call("GET", "get-bucket-quota", bucket)
        with self.send(call) as response:
            data = response.read(_ANSWER_BYTES_MAX)
        try:
            return parse(data)
        except ValueError as error:
            raise NetworkError(
                f"{call.subject}: the answer of {self.endpoint.url} cannot be read ({error})",
                hint="check that the endpoint offers MinIO's admin API",
            ) from error

    def set_bucket_quota(self, bucket: str, limit_bytes: int) -> None:
        """Let a bucket hold so much; 0 for as much as there is room for."""
        from ingot.s3client.quotas import render

        self.finish(_call("PUT", "set-bucket-quota", bucket, render(limit_bytes)))


def _call(method: str, operation: str, bucket: str, data: bytes = b"") -> Call:
    query: Query = [("bucket", bucket)]
    return Call(method, query=query, body=BytesBody(data), path=_PREFIX + operation, about=bucket)
