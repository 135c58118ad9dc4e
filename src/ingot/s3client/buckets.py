"""Operations on the service and on buckets."""

from __future__ import annotations

from ingot.s3.documents import buckets as documents
from ingot.s3.documents.buckets import Bucket
from ingot.s3client.body import BytesBody
from ingot.s3client.caller import Call, Caller
from ingot.s3client.errors import done_before

_DEFAULT_REGION = "us-east-1"


class BucketOperations(Caller):
    """Methods named as the S3 operations; each raises `ServiceError` or `NetworkError`."""

    def list_buckets(self) -> list[Bucket]:
        """Return the buckets that these credentials may see, by name."""
        found: list[Bucket] = []
        token = ""
        while True:
            query = (("continuation-token", token),) if token else ()
            page = self.parsed(Call("GET", query=query), documents.parse_list)
            found.extend(page.buckets)
            # A service that repeats its token would keep us here for ever.
            if not page.continuation_token or page.continuation_token == token:
                return found
            token = page.continuation_token

    def create_bucket(
        self, bucket: str, *, region: str | None = None, with_lock: bool = False
    ) -> None:
        """Make a bucket, in `region` where the service has several.

        Args:
            bucket: its name.
            region: where.
            with_lock: its objects can be locked; that turns versions on, for ever.
        """
        data = b""
        if region is not None and region != _DEFAULT_REGION:
            data = documents.render_create(region)
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if with_lock else {}
        with done_before("BucketAlreadyOwnedByYou"):
            self.finish(Call("PUT", bucket, headers=headers, body=BytesBody(data)))

    def head_bucket(self, bucket: str) -> None:
        """Return if the bucket exists and may be used.

        Raises:
            ServiceNotFoundError: there is none of that name.
            ServiceDeniedError: there is, but not for these credentials.
        """
        self.finish(Call("HEAD", bucket))

    def delete_bucket(self, bucket: str) -> None:
        """Remove an empty bucket.

        Raises:
            ServiceConflictError: it is not empty.
        """
        with done_before("NoSuchBucket"):
            self.finish(Call("DELETE", bucket))

    def get_bucket_location(self, bucket: str) -> str:
        """Return the region a bucket is in."""
        return self.parsed(Call("GET", bucket, query=[("location", "")]), documents.parse_location)

    def get_bucket_versioning(self, bucket: str) -> str | None:
        """Return `Enabled`, `Suspended`, or None for a bucket that never had versions."""
        return self.parsed(
            Call("GET", bucket, query=[("versioning", "")]), documents.parse_versioning
        )
