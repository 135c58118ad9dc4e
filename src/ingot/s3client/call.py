"""One request in S3's terms, and the names that it must not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingot.base.errors import UsageError
from ingot.s3.sigv4 import Query
from ingot.s3client.body import Body, BytesBody


@dataclass(frozen=True, slots=True)
class Call:
    """One request in S3's terms; the caller makes the HTTP of it.

    Attributes:
        method: the HTTP method.
        bucket: empty for the service itself.
        key: None for the bucket itself. An empty key would be that too, so it is refused: who
            deletes the object of a name that is missing does not mean the bucket.
        query: decoded parameters.
        headers: by lower-case name, without those that signing and framing add.
        body: what to send.
        path: of a request that is about neither; empty for S3's own.
        about: the bucket that such a request is about nevertheless.
        checksummed: whether the operation takes a checksum of its body. For some the header means
            something else: CompleteMultipartUpload reads it as that of the object.

    Raises:
        UsageError: by such a name the request would be about something else.
    """

    method: str
    bucket: str = ""
    key: str | None = None
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body = field(default_factory=lambda: BytesBody(b""))
    path: str = ""
    about: str = ""
    checksummed: bool = False

    def __post_init__(self) -> None:
        bucket = self.bucket
        if "/" in bucket or bucket in {".", ".."}:
            raise UsageError(f"{bucket!r} is no name of a bucket")
        if self.key is not None and not (bucket and self.key):
            raise UsageError(
                f"{bucket}/{self.key} names no object", hint="a bucket and a key are never empty"
            )

    @property
    def subject(self) -> str:
        """What messages call it."""
        if self.key:
            return f"{self.bucket}/{self.key}"
        return self.bucket or self.about or "the service"
