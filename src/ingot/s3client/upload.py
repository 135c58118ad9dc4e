"""Uploading a source of known size, in one piece or in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from ingot.base.errors import Error
from ingot.s3.checksums import decode, full_object
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import BytesBody, Source
from ingot.s3client.caller import UPLOAD_ALGORITHM
from ingot.s3client.client import S3Client
from ingot.s3client.parts import Meter, TransferOptions, run_parts
from ingot.s3client.results import Attributes, PartResult, PutResult, WriteConditions


class Target(NamedTuple):
    """Where an upload goes, what the object is given, and when it may be written."""

    bucket: str
    key: str
    attributes: Attributes | None
    conditions: WriteConditions


def upload(
    client: S3Client,
    source: Source,
    target: Target,
    meter: Meter,
    *,
    options: TransferOptions,
    threads: ThreadPoolExecutor,
) -> PutResult:
    """Store what the source has.

    Raises:
        Error: the source cannot be read, or the service refused or went away; no part stays.
    """
    if source.size_bytes >= options.split_from_bytes:
        ranges = options.parts(source.size_bytes)
        return _upload_parts(client, source, target, meter, ranges=ranges, threads=threads)
    body = source.body(ByteRange(0, source.size_bytes), meter)
    if source.size_bytes <= options.memory_bytes:
        body = BytesBody(b"".join(body.blocks()))
    return client.put_object(
        target.bucket,
        target.key,
        body,
        attributes=target.attributes,
        conditions=target.conditions,
    )


def _upload_parts(
    client: S3Client,
    source: Source,
    target: Target,
    meter: Meter,
    *,
    ranges: Sequence[ByteRange],
    threads: ThreadPoolExecutor,
) -> PutResult:
    def send(upload_id: str, number: int, part: ByteRange) -> PartResult:
        body = source.body(part, meter)
        return client.upload_part(target.bucket, target.key, upload_id, number, body)

    return in_parts(client, target, meter, send, ranges=ranges, threads=threads)


def in_parts(
    client: S3Client,
    target: Target,
    meter: Meter,
    send: Callable[[str, int, ByteRange], PartResult],
    *,
    ranges: Sequence[ByteRange],
    threads: ThreadPoolExecutor,
) -> PutResult:
    """Make an object of parts.

    Args:
        client: the service.
        target: where it goes.
        meter: of the transfer.
        send: makes one part, given the upload's id, its number and its range.
        ranges: of all parts.
        threads: to make them in.

    Raises:
        Error: the first failure; no part stays.
    """
    bucket, key, attributes, conditions = target
    started = client.create_multipart_upload(bucket, key, attributes=attributes)
    try:
        parts = run_parts(
            threads,
            lambda numbered: send(started.upload_id, *numbered),
            list(enumerate(ranges, 1)),
            meter,
        )
        made = client.complete_multipart_upload(
            bucket,
            key,
            started.upload_id,
            parts,
            checksum=_total(parts) if started.sums_up else None,
            conditions=conditions,
        )
    except BaseException:
        # What made us stop is the news; parts that stay behind are the service's to expire.
        with suppress(Error):
            client.abort_multipart_upload(bucket, key, started.upload_id)
        raise
    return PutResult(made.etag, sum(part.length for part in ranges), made.checksum)


def _total(parts: Sequence[PartResult]) -> str | None:
    digests = []
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != UPLOAD_ALGORITHM.name:
            return None
        digests.append((decode(UPLOAD_ALGORITHM.name, part.checksum.value), part.size_bytes))
    return full_object(UPLOAD_ALGORITHM.name, digests)
