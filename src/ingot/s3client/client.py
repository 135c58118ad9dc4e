"""The client as its users see it: every operation on one object."""

from __future__ import annotations

from typing import NamedTuple

from ingot.base.errors import UsageError
from ingot.s3.dates import NS_PER_S
from ingot.s3.postpolicy import EQUAL, STARTS_WITH, Condition, PostPolicy, signed_fields
from ingot.s3client.admin import AdminOperations
from ingot.s3client.annotations import AnnotationOperations
from ingot.s3client.buckets import BucketOperations
from ingot.s3client.call import Call
from ingot.s3client.identities import IdentityOperations
from ingot.s3client.listen import ListenOperations
from ingot.s3client.listing import ListOperations
from ingot.s3client.multipart import MultipartOperations
from ingot.s3client.objects import ObjectOperations
from ingot.s3client.replicating import ReplicatingOperations
from ingot.s3client.select import SelectOperations
from ingot.s3client.settings import SettingOperations


class PostForm(NamedTuple):
    """A form to upload by: where it goes and its fields, to which the file is added as the last."""

    url: str
    fields: dict[str, str]


class S3Client(
    BucketOperations,
    ListOperations,
    ObjectOperations,
    MultipartOperations,
    SettingOperations,
    AnnotationOperations,
    ListenOperations,
    SelectOperations,
    AdminOperations,
    IdentityOperations,
    ReplicatingOperations,
):
    """A client of one S3 service, with all its operations; made as `Caller` is."""

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

    def presigned_form(
        self,
        bucket: str,
        key: str,
        *,
        expires_s: int,
        any_name_below: bool = False,
        content_type: str | None = None,
        most_bytes: int | None = None,
    ) -> PostForm:
        """Return a form by which anyone may upload until it expires.

        Args:
            bucket: where to.
            key: the object's name.
            expires_s: from 1 second.
            any_name_below: whoever uploads chooses the name, which begins with `key`.
            content_type: of the object; None for any.
            most_bytes: how large it may be; None for any size.

        Raises:
            UsageError: there are no keys to sign it with, or it would have expired already.
        """
        if expires_s < 1:
            raise UsageError(f"a form cannot be good for {expires_s} seconds")
        now_ns = self._learned.now_ns()
        conditions = [
            Condition(EQUAL, "bucket", bucket),
            Condition(STARTS_WITH if any_name_below else EQUAL, "key", key),
        ]
        fields = {"bucket": bucket, "key": key}
        if content_type is not None:
            conditions.append(Condition(EQUAL, "content-type", content_type))
            fields["content-type"] = content_type
        policy = PostPolicy(now_ns + expires_s * NS_PER_S, tuple(conditions), most_bytes=most_bytes)
        if self._credentials is None:
            raise UsageError("a form must be signed, and there are no keys")
        signed = signed_fields(
            self._credentials, policy, region=self._learned.region_of(bucket), now_ns=now_ns
        )
        url = self.plain_url(bucket)
        return PostForm(url, {**fields, **signed})
