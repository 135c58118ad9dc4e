"""What the methods of the client take and return beside the documents of `ingot.s3.documents`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import quote, urlencode

from ingot.base.errors import NetworkError
from ingot.s3.checksums import BY_HEADER, COMPOSITE, FULL_OBJECT, TYPE_HEADER, ChecksumValue
from ingot.s3.dates import NS_PER_S, parse_http_date
from ingot.s3.documents.common import parse_checksum_type
from ingot.s3.etags import is_md5, unquote_etag
from ingot.s3.headers import (
    CONTENT_HEADERS,
    METADATA_PREFIX,
    STANDARD,
    STORAGE_CLASS_HEADER,
)
from ingot.s3.names import encode_path
from ingot.s3.ranges import parse_content_range
from ingot.s3.tags import TAGGING_HEADER
from ingot.transport.pool import Response

if TYPE_CHECKING:
    from ingot.s3client.verify import Verifier

_SERVICE_HEADERS = (
    *("x-amz-expiration", "x-amz-mp-parts-count", "x-amz-object-lock-legal-hold"),
    *("x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date"),
    *("x-amz-replication-status", "x-amz-restore", "x-amz-server-side-encryption"),
    *("x-amz-server-side-encryption-aws-kms-key-id", "x-amz-tagging-count"),
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an object is given beside its bytes.

    Attributes:
        content_headers: by lower-case name: `content-type`, `cache-control` …
        metadata: user metadata, by lower-case name without the `x-amz-meta-` prefix.
        storage_class: as the service calls it.
        tags: by name; None gives none.
        further: other headers of the write, by lower-case name, as those of object lock.
    """

    content_headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    storage_class: str | None = None
    tags: Mapping[str, str] | None = None
    further: Mapping[str, str] = field(default_factory=dict)

    def headers(self) -> dict[str, str]:
        """Write them as request headers."""
        headers = {**self.content_headers, **self.further}
        headers.update((f"{METADATA_PREFIX}{name}", text) for name, text in self.metadata.items())
        if self.storage_class is not None:
            headers[STORAGE_CLASS_HEADER] = self.storage_class
        if self.tags:
            headers[TAGGING_HEADER] = urlencode(self.tags)
        return headers


class WriteConditions(NamedTuple):
    """When a write may happen: over this ETag only, or only where no object is."""

    if_match: str | None = None
    if_absent: bool = False

    def headers(self) -> dict[str, str]:
        """Write them as request headers."""
        headers = {}
        if self.if_match is not None:
            headers["if-match"] = f'"{self.if_match}"'
        if self.if_absent:
            headers["if-none-match"] = "*"
        return headers


class CopySource(NamedTuple):
    """What a copy within a service reads: an object, the ETag it must have, which version."""

    bucket: str
    key: str
    if_match: str | None = None
    version_id: str | None = None

    def headers(self) -> dict[str, str]:
        """Write it as request headers."""
        path = encode_path(f"{self.bucket}/{self.key}")
        if self.version_id is not None:
            path += f"?versionId={quote(self.version_id, safe='')}"
        headers = {"x-amz-copy-source": path}
        if self.if_match is not None:
            headers["x-amz-copy-source-if-match"] = f'"{self.if_match}"'
        return headers


class PutResult(NamedTuple):
    """What an upload made; `etag` is without quotes."""

    etag: str
    size_bytes: int
    checksum: ChecksumValue | None = None
    version_id: str | None = None


class PartResult(NamedTuple):
    """What uploading a part made."""

    number: int
    etag: str
    size_bytes: int
    checksum: ChecksumValue | None = None


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object.

    Attributes:
        size_bytes: of the whole object, also when a range was asked for.
        etag: without quotes.
        modified_ns: nanoseconds since the epoch, whole seconds.
        content_headers: by lower-case name.
        metadata: user metadata, by lower-case name without its prefix.
        storage_class: `STANDARD` when the service says nothing.
        checksum: the one the service keeps, if any.
        version_id: in a bucket with versions.
        etag_is_md5: whether the ETag is the MD5 of the bytes.
        service_headers: what else the service tells of it, by lower-case name.
    """

    size_bytes: int
    etag: str
    modified_ns: int
    content_headers: Mapping[str, str]
    metadata: Mapping[str, str]
    storage_class: str = STANDARD
    checksum: ChecksumValue | None = None
    version_id: str | None = None
    etag_is_md5: bool = False
    service_headers: Mapping[str, str] = field(default_factory=dict)


def object_info(headers: Mapping[str, str]) -> ObjectInfo:
    """Read the headers of a GET or HEAD answer.

    Raises:
        NetworkError: they are not those of an object.
    """
    content_range = headers.get("content-range")
    try:
        if content_range is not None:
            _, size_bytes = parse_content_range(content_range)
        else:
            size_bytes = _length(headers["content-length"])
    except (KeyError, ValueError) as error:
        raise NetworkError(f"the service did not tell an object's size: {error}") from error
    modified_s = parse_http_date(headers.get("last-modified", "")) or 0
    etag = unquote_etag(headers.get("etag", ""))
    return ObjectInfo(
        size_bytes=size_bytes,
        etag=etag,
        modified_ns=modified_s * NS_PER_S,
        content_headers={name: headers[name] for name in CONTENT_HEADERS if name in headers},
        metadata={
            name.removeprefix(METADATA_PREFIX): text
            for name, text in headers.items()
            if name.startswith(METADATA_PREFIX)
        },
        storage_class=headers.get(STORAGE_CLASS_HEADER, STANDARD),
        checksum=checksum_of(headers),
        version_id=headers.get("x-amz-version-id"),
        # Objects under a customer's or a KMS key have an ETag that only looks like an MD5.
        etag_is_md5=is_md5(etag)
        and headers.get("x-amz-server-side-encryption", "AES256") == "AES256"
        and "x-amz-server-side-encryption-customer-algorithm" not in headers,
        service_headers={name: headers[name] for name in _SERVICE_HEADERS if name in headers},
    )


def _length(text: str) -> int:
    # Python would also take `-5` and `1_0`.
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!r} is no length")
    return int(text)


def checksum_of(headers: Mapping[str, str]) -> ChecksumValue | None:
    """Read the checksum of an answer, if it has one that we know."""
    for name, algorithm in BY_HEADER.items():
        value = headers.get(name)
        if value is not None:
            kind = parse_checksum_type(headers.get(TYPE_HEADER))
            # Services older than the type header mark a composite checksum by its count only.
            implied = COMPOSITE if "-" in value else FULL_OBJECT
            return ChecksumValue(algorithm.name, value, kind or implied)
    return None


class ObjectStream:
    """The answer of GetObject, its bytes still on the wire; a context manager.

    Args:
        response: the answer.
        subject: `bucket/key` for messages.

    Attributes:
        info: what is known of the object.
    """

    def __init__(self, response: Response, subject: str = "the object") -> None:
        self._response = response
        self._subject = subject
        self._verifier: Verifier | None = None
        # Nothing sums a stretch up.
        self._is_verified = response.status == 200
        try:
            self.info = object_info(response.headers)
        except NetworkError:
            response.close()
            raise
        # The framing may say something else than what the answer is said to be.
        content_range = response.headers.get("content-range")
        whole = self.info.size_bytes
        self._missing = parse_content_range(content_range)[0].length if content_range else whole

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces of at most 1 MiB; those of a whole object are verified.

        Raises:
            IntegrityError: the bytes, of which the last was handed out already, do not have the
                checksum or MD5 that the service keeps.
            NetworkError: the connection broke, or they are fewer or more than were due.
        """
        return self._verified() if self._is_verified else self.unverified()

    def unverified(self) -> Iterator[bytes]:
        """Yield the bytes as iterating does, for who verifies them.

        Raises:
            NetworkError: the connection broke.
        """
        self._is_verified = False
        return self._counted()

    def read(self) -> bytes:
        """Return all that is left of the bytes, verified if they are a whole object.

        Raises:
            IntegrityError, NetworkError: as when iterating.
        """
        return b"".join(self)

    def _verified(self) -> Iterator[bytes]:
        from ingot.s3client.verify import Verifier

        if self._verifier is None:
            self._verifier = Verifier(self.info, self._subject)
        for piece in self._counted():
            self._verifier.update(piece)
            yield piece
        if self._is_verified:
            self._verifier.check()

    def _counted(self) -> Iterator[bytes]:
        for piece in self._response.stream():
            self._missing -= len(piece)
            yield piece
        if self._missing:
            raise NetworkError(f"{self._subject}: the answer has more or fewer bytes than it says")

    def read_into(self, buffer: memoryview) -> int:
        """Put the next bytes into a buffer, as many as came; return how many, 0 at the end.

        Who takes them so has to verify them.

        Raises:
            NetworkError: the connection broke.
        """
        self._is_verified = False
        count = self._response.read_into(buffer)
        self._missing -= count
        if self._missing < 0 or (self._missing and not count and len(buffer)):
            raise NetworkError(f"{self._subject}: the answer has more or fewer bytes than it says")
        return count

    def close(self) -> None:
        """End the transfer; the connection is kept if the body is nearly read."""
        self._response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
