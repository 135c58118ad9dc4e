"""The client as its users see it: every operation on one object."""

from __future__ import annotations

from ingot.s3client.annotations import AnnotationOperations
from ingot.s3client.buckets import BucketOperations
from ingot.s3client.caller import Call
from ingot.s3client.listing import ListOperations
from ingot.s3client.multipart import MultipartOperations
from ingot.s3client.objects import ObjectOperations
from ingot.s3client.settings import SettingOperations


class S3Client(
    BucketOperations,
    ListOperations,
    ObjectOperations,
    MultipartOperations,
    SettingOperations,
    AnnotationOperations,
):
    """A client of one S3 service; see `Caller` for its arguments. Safe to share between threads."""

    def presigned_url(
        self,
        method: str,
        bucket: str,
        key: str,
        *,
        expires_s: int,
        query: tuple[tuple[str, str], ...] = (),
    ) -> str:
        """Return a URL that lets anyone GET, PUT, HEAD or DELETE an object until it expires.

        Args:
            method: the HTTP method it is good for.
            bucket: where the object is.
            key: its name.
            expires_s: from 1 second to 7 days.
            query: further parameters, as `response-content-disposition`.
        """
        return self.presign(Call(method, bucket, key, query=query), expires_s)

    def plain_url(self, bucket: str, key: str) -> str:
        """Return the URL of an object, good for those who may read it without keys."""
        place = self.endpoint.locate(self._addressing, bucket, key)
        return f"{self.endpoint.scheme}://{place.host_header}{place.path}"
