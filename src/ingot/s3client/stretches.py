"""Stretches of one and the same object, whoever writes to its name meanwhile."""

from __future__ import annotations

from ingot.base.errors import NetworkError
from ingot.s3.checksums import FULL_OBJECT
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import SourceChangedError, unchanged
from ingot.s3client.client import S3Client
from ingot.s3client.results import ObjectInfo, ObjectStream


def is_told_apart(info: ObjectInfo) -> bool:
    """Tell whether another object of the same name and size would be noticed."""
    has_checksum = info.checksum is not None and info.checksum.type == FULL_OBJECT
    return bool(has_checksum or info.etag or info.version_id or info.modified_ns)


def open_stretch(
    client: S3Client,
    bucket: str,
    key: str,
    part: ByteRange,
    info: ObjectInfo,
    *,
    version_id: str | None = None,
) -> ObjectStream:
    """Open a part of an object of which something is known already; close it after.

    Args:
        client: the service.
        bucket: where it is.
        key: its name.
        part: which bytes.
        info: what was said of it when it was first asked for.
        version_id: None for the current version.

    Raises:
        SourceChangedError: it is another object now.
        NetworkError: the service contradicts itself, or went away.
        ServiceError: it refused.
    """
    subject = f"{bucket}/{key}"
    with unchanged(subject):
        stream = client.get_object(
            bucket, key, part=part, if_match=info.etag or None, version_id=version_id
        )
    try:
        _check_same(info, stream.info, subject)
    except BaseException:
        stream.close()
        raise
    return stream


def _check_same(before: ObjectInfo, now: ObjectInfo, subject: str) -> None:
    """Compare what was said of an object.

    Services that keep no ETags have nothing to make a request depend on; some ignore that it does.
    """
    is_same = now.etag in {"", before.etag} if before.etag else _marks(before) == _marks(now)
    if not is_same:
        raise SourceChangedError(f"{subject} changed while it was read")
    if before.size_bytes != now.size_bytes:
        raise NetworkError(
            f"{subject}: the service says {now.size_bytes} bytes, after {before.size_bytes}"
        )


def _marks(info: ObjectInfo) -> tuple[int, int, str | None]:
    return info.size_bytes, info.modified_ns, info.version_id
