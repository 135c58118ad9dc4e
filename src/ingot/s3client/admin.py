"""Operations of MinIO's admin API on buckets, which services of its kind offer beside S3."""

from __future__ import annotations

from typing import Final

import msgspec

from ingot.base.errors import NetworkError
from ingot.base.units import MIB
from ingot.s3.sigv4 import Query
from ingot.s3client.body import BytesBody
from ingot.s3client.caller import Call, Caller

_PREFIX: Final = "/minio/admin/v3/"
_ANSWER_BYTES_MAX: Final = 1 * MIB
_HARD: Final = "hard"


class BucketQuota(msgspec.Struct, frozen=True):
    """How much a bucket may hold, as services write it.

    Attributes:
        quota: bytes; 0 for no limit.
        size: what newer services call it.
        quotatype: `hard` where there is one.
    """

    quota: int = 0
    size: int = 0
    quotatype: str = ""

    @property
    def limit_bytes(self) -> int:
        """How much it may hold; 0 for no limit."""
        return self.size or self.quota


class AdminOperations(Caller):
    """Methods named as the admin operations; each raises `ServiceError` or `NetworkError`."""

    def get_bucket_quota(self, bucket: str) -> BucketQuota:
        """Return how much a bucket may hold."""
        call = _call("GET", "get-bucket-quota", bucket)
        with self.send(call) as response:
            data = response.read(_ANSWER_BYTES_MAX)
        try:
            return msgspec.json.decode(data, type=BucketQuota)
        except msgspec.DecodeError as error:
            raise NetworkError(
                f"{call.subject}: the answer of {self.endpoint.url} cannot be read ({error})",
                hint="check that the endpoint offers MinIO's admin API",
            ) from error

    def set_bucket_quota(self, bucket: str, limit_bytes: int) -> None:
        """Let a bucket hold so much; 0 for as much as there is room for."""
        quota = {"quota": limit_bytes, "quotatype": _HARD} if limit_bytes else {"quota": 0}
        self.finish(_call("PUT", "set-bucket-quota", bucket, msgspec.json.encode(quota)))


def _call(method: str, operation: str, bucket: str, data: bytes = b"") -> Call:
    query: Query = [("bucket", bucket)]
    return Call(method, query=query, body=BytesBody(data), path=_PREFIX + operation, about=bucket)
