"""The store's errors: what went wrong in terms of buckets, keys and parts, without S3 codes."""

from __future__ import annotations

from ingot.base.errors import (
    ConflictError,
    Error,
    IntegrityError,
    NotFoundError,
    UsageError,
)


class BucketError(Error):
    """An error about a bucket.

    Args:
        bucket: the bucket's name.
    """

    def __init__(self, message: str, bucket: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.bucket = bucket


class NoSuchBucketError(BucketError, NotFoundError):
    """The bucket does not exist."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} does not exist", bucket)


class BucketExistsError(BucketError, ConflictError):
    """A bucket of that name exists already."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} exists already", bucket)


class BucketNotEmptyError(BucketError, ConflictError):
    """The bucket still holds objects, versions or unfinished uploads."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} is not empty", bucket)


class BucketLockedError(BucketError, ConflictError):
    """The bucket's objects may be locked, so it keeps their versions for ever."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} has object lock: versioning stays enabled", bucket)


class BucketUnversionedError(BucketError, ConflictError):
    """The bucket does not keep versions, which locking its objects needs."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} does not keep versions", bucket)


class BucketUnlockableError(BucketError, ConflictError):
    """A lock is asked for in a bucket that has no object lock."""

    def __init__(self, bucket: str) -> None:
        super().__init__(f"bucket {bucket!r} has no object lock", bucket)


class QuotaExceededError(BucketError, ConflictError):
    """The bucket would hold more than its quota; nothing was written."""

    def __init__(self, bucket: str) -> None:
        super().__init__(
            f"bucket {bucket!r} has no room left in its quota",
            bucket,
            hint="delete objects or versions, or raise the quota",
        )


class NoSuchKeyError(BucketError, NotFoundError):
    """The bucket exists but holds no such object."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(f"object {bucket}/{key} does not exist", bucket)
        self.key = key


class DeletedError(NoSuchKeyError):
    """The latest version of the object is a delete marker."""

    def __init__(self, bucket: str, key: str, version_id: str) -> None:
        super().__init__(bucket, key)
        self.version_id = version_id


class DeleteMarkerError(BucketError, ConflictError):
    """The version asked for is a delete marker, which has no content."""

    def __init__(self, bucket: str, key: str, version_id: str, modified_ns: int) -> None:
        super().__init__(f"version {version_id} of {bucket}/{key} is a delete marker", bucket)
        self.key = key
        self.version_id = version_id
        self.modified_ns = modified_ns


class NoSuchVersionError(BucketError, NotFoundError):
    """The object has no such version."""

    def __init__(self, bucket: str, key: str, version_id: str) -> None:
        super().__init__(f"object {bucket}/{key} has no version {version_id!r}", bucket)
        self.key = key
        self.version_id = version_id


class ObjectLockedError(BucketError, ConflictError):
    """The version must stay, or its lock must stay as it is."""

    def __init__(self, bucket: str, key: str, version_id: str) -> None:
        super().__init__(f"version {version_id} of {bucket}/{key} is locked", bucket)
        self.key = key
        self.version_id = version_id


class NoSuchUploadError(BucketError, NotFoundError):
    """The multipart upload does not exist, or it was completed or aborted."""

    def __init__(self, bucket: str, key: str, upload_id: str) -> None:
        super().__init__(f"upload {upload_id} of {bucket}/{key} does not exist", bucket)
        self.key = key
        self.upload_id = upload_id


class InvalidPartError(ConflictError):
    """A part named at completion was not uploaded, or its ETag or checksum differs."""

    def __init__(self, upload_id: str, part_number: int, etag: str) -> None:
        super().__init__(f"part {part_number} of upload {upload_id} is not as named")
        self.upload_id = upload_id
        self.part_number = part_number
        self.etag = etag


class InvalidPartOrderError(UsageError):
    """The parts named at completion are not in ascending order, or there are none."""


class PartTooSmallError(ConflictError):
    """A part other than the last is smaller than `PART_BYTES_MIN`."""

    def __init__(self, part_number: int, size_bytes: int, etag: str) -> None:
        super().__init__(f"part {part_number} has only {size_bytes} bytes and is not the last")
        self.part_number = part_number
        self.size_bytes = size_bytes
        self.etag = etag


class ObjectTooLargeError(UsageError):
    """The parts add up to more than `OBJECT_BYTES_MAX`."""


class DigestMismatchError(IntegrityError):
    """The content does not have the checksum or size the writer announced.

    Args:
        name: what differs, such as `CRC32` or `size`.
    """

    def __init__(self, name: str, expected: str, actual: str) -> None:
        super().__init__(f"{name} is {actual}, but {expected} was announced")
        self.name = name


class ChecksumUnknownError(UsageError):
    """A completion announces a checksum, or a type of checksum, that the upload does not have."""


class DamagedError(IntegrityError):
    """What is stored is not what was written; nothing of it was handed out."""

    lost = "the object"

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint=f"restore {self.lost} from a copy; the bytes on this device cannot be trusted",
        )


class RecordDamagedError(DamagedError):
    """What the catalog holds of an object is damaged; the key is empty where it is unknown."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"object {key!r}: {reason}" if key else reason)
        self.key = key


class CatalogDamagedError(DamagedError):
    """The catalog's file is damaged: the engine cannot read it."""

    lost = "the store"


class BlobDamagedError(DamagedError):
    """Stored bytes are missing, cut or changed; none of them were handed out.

    Args:
        blob_id: the blob concerned.
    """

    def __init__(self, blob_id: str, reason: str) -> None:
        super().__init__(f"blob {blob_id}: {reason}")
        self.blob_id = blob_id


class StoreFullError(Error):
    """The device has no room left; nothing was written."""

    slug = "full"


class StoreBusyError(Error):
    """More writes wait than the store takes; try again later."""

    slug = "busy"


class StoreFailedError(Error):
    """An I/O error made durability unsure: this process acknowledges nothing more."""

    slug = "store-failed"


class StoreFormatError(UsageError):
    """The directory holds something this version cannot read."""
