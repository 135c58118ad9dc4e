"""Uploading a source of known size, in one piece or in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import NamedTuple

from ingot.base.errors import Error, NetworkError
from ingot.s3.checksums import decode, full_object
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import BytesBody, Source
from ingot.s3client.client import S3Client
from ingot.s3client.parts import Meter, TransferOptions, run_parts
from ingot.s3client.results import Attributes, PartResult, PutResult, WriteConditions
from ingot.s3client.resume import Resumption
from ingot.transport.cord import CutError, apart

# A service that does not answer to the end of an upload keeps nobody who wants to leave.
_LAST_WORDS_S = 1.0


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
    resumption: Resumption | None = None,
) -> PutResult:
    """Store what the source has.

    Raises:
        Error: the source cannot be read, or the service refused or went away; no part stays,
            except where the network failed and the resumption remembers them.
    """
    if source.size_bytes >= options.split_from_bytes:
        ranges = options.parts(source.size_bytes)

        def send(upload_id: str, number: int, part: ByteRange) -> PartResult:
            body = source.body(part, meter)
            return client.upload_part(target.bucket, target.key, upload_id, number, body)

        return in_parts(
            client,
            target,
            meter,
            send,
            ranges=ranges,
            threads=threads,
            resumption=resumption,
            check=source.check,
        )
    if source.size_bytes <= options.memory_bytes:
        return begin_upload(client, source, target, meter)()
    return client.put_object(
        target.bucket,
        target.key,
        source.body(ByteRange(0, source.size_bytes), meter),
        attributes=target.attributes,
        conditions=target.conditions,
    )


def begin_upload(
    client: S3Client, source: Source, target: Target, meter: Meter
) -> Callable[[], PutResult]:
    """Read a small source and send it; what is returned waits for the answer, and must be called.

    Raises:
        Error: the source cannot be read. What is returned raises as `upload` does.
    """
    body = source.body(ByteRange(0, source.size_bytes), meter)
    return client.begin_put_object(
        target.bucket,
        target.key,
        BytesBody(b"".join(body.blocks())),
        attributes=target.attributes,
        conditions=target.conditions,
    )


def in_parts(
    client: S3Client,
    target: Target,
    meter: Meter,
    send: Callable[[str, int, ByteRange], PartResult],
    *,
    ranges: Sequence[ByteRange],
    threads: ThreadPoolExecutor,
    resumption: Resumption | None = None,
    check: Callable[[], None] | None = None,
) -> PutResult:
    """Make an object of parts.

    Args:
        client: the service.
        target: where it goes.
        meter: of the transfer.
        send: makes one part, given the upload's id, its number and its range.
        ranges: of all parts.
        threads: to make them in.
        resumption: of an upload that may have been begun before.
        check: raises if the parts are not what they should be.

    Raises:
        Error: the first failure; no part stays, but see `upload`.
    """
    bucket, key, attributes, conditions = target
    started = resumption.begun(client, bucket, key) if resumption else None
    if started is None:
        started = client.create_multipart_upload(bucket, key, attributes=attributes)
        if resumption:
            resumption.memory.note(started)
    upload_id = started.upload_id

    def make(numbered: tuple[int, ByteRange]) -> PartResult:
        number, part = numbered
        if resumption and (stored := resumption.stored(number, part)):
            meter(part.length)
            return stored
        return send(upload_id, number, part)

    try:
        parts = run_parts(threads, make, list(enumerate(ranges, 1)), meter)
        if check is not None:
            check()
        made = client.complete_multipart_upload(
            bucket,
            key,
            upload_id,
            parts,
            checksum=_total(parts, client.algorithm.name) if started.sums_up else None,
            conditions=conditions,
        )
    except BaseException as error:
        if resumption and isinstance(error, NetworkError):
            raise  # the next attempt goes on from here
        if abandon(client, bucket, key, upload_id, error) and resumption:
            resumption.memory.forget()
        raise
    if resumption:
        resumption.memory.forget()
    size_bytes = sum(part.length for part in ranges)
    return PutResult(made.etag, size_bytes, made.checksum, made.version_id)


def abandon(client: S3Client, bucket: str, key: str, upload_id: str, reason: BaseException) -> bool:
    """Free the space of an upload's parts, if the service can be reached; return whether it was.

    What made us stop is the news, so nothing is raised; parts that stay behind are the service's
    to expire. Who is interrupted waits only shortly for that.
    """
    with suppress(Error, CutError), ExitStack() as stack:
        if not isinstance(reason, Exception):
            stack.enter_context(apart(_LAST_WORDS_S))
        client.abort_multipart_upload(bucket, key, upload_id)
        return True
    return False


def _total(parts: Sequence[PartResult], algorithm: str) -> str | None:
    digests = []
    for part in parts:
        if part.checksum is None or part.checksum.algorithm != algorithm:
            return None
        digests.append((decode(algorithm, part.checksum.value), part.size_bytes))
    return full_object(algorithm, digests)
