"""The transfer engine: files and objects move whole, large ones in parts by several threads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ingot.base.errors import IntegrityError
from ingot.s3.checksums import FULL_OBJECT
from ingot.s3.ranges import ByteRange
from ingot.s3.tags import TAG_COUNT_HEADER
from ingot.s3client.body import Advance, FileSource, ObjectSource
from ingot.s3client.client import S3Client
from ingot.s3client.download import Download, FileOptions, Finish
from ingot.s3client.lanes import Lanes
from ingot.s3client.parts import Meter, TransferOptions
from ingot.s3client.results import (
    Attributes,
    CopySource,
    ObjectInfo,
    ObjectStream,
    PartResult,
    PutResult,
    WriteConditions,
)
from ingot.s3client.resume import Resumption, UploadMemory
from ingot.s3client.stretches import open_stretch
from ingot.s3client.upload import Target, begin_upload, in_parts, upload

_ANY = WriteConditions()


def _ignore(amount_bytes: int) -> None:
    """Nobody watches."""


class Transfers:
    """Moves what is larger than a request; its methods may be called in several threads.

    Args:
        client: the service that is written to and read from.
        options: see there.
    """

    def __init__(self, client: S3Client, options: TransferOptions | None = None) -> None:
        self._client = client
        self._options = options or TransferOptions()
        self._threads = ThreadPoolExecutor(
            self._options.parts_at_once, thread_name_prefix="s3-part"
        )
        self._lanes = Lanes(self._options.parts_at_once)

    def upload_file(
        self,
        path: Path,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        conditions: WriteConditions = _ANY,
        advance: Advance = _ignore,
        memory: UploadMemory | None = None,
        descriptor: int | None = None,
    ) -> PutResult:
        """Store a file under a key.

        Args:
            path: the file.
            bucket: where to.
            key: the object's name.
            attributes: what the object is given beside its bytes.
            conditions: when it may be written.
            advance: told of bytes as they move, by one thread at a time; a retry takes back what
                it repeats. It may raise to stop.
            memory: of an upload in parts of this very file to this very place, to go on with.
            descriptor: of the file, where it is open; else it is opened by its path.

        Raises:
            NotFoundError: there is no such file.
            SourceChangedError: it changed while it was read; nothing was stored.
            ServiceError, NetworkError: the service refused or went away.
        """
        return self.begin_upload_file(
            path,
            bucket,
            key,
            attributes=attributes,
            conditions=conditions,
            advance=advance,
            memory=memory,
            descriptor=descriptor,
        )()

    def begin_upload_file(
        self,
        path: Path,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        conditions: WriteConditions = _ANY,
        advance: Advance = _ignore,
        memory: UploadMemory | None = None,
        descriptor: int | None = None,
    ) -> Callable[[], PutResult]:
        """Read a small file and send it; what is returned waits for the answer.

        It must be called, and raises what `upload_file` raises; until then others
        may be begun. A file that is not small is only opened.
        """
        meter = Meter(advance)
        target = Target(bucket, key, attributes, conditions)
        with ExitStack() as stack:
            source = stack.enter_context(FileSource(path, descriptor))
            if self._is_small(source.size_bytes):
                return begin_upload(self._client, source, target, meter)
            opened = stack.pop_all()

        def send() -> PutResult:
            with opened, self._lane(source.size_bytes, meter):
                return upload(
                    self._client,
                    source,
                    target,
                    meter,
                    options=self._options,
                    threads=self._threads,
                    resumption=None if memory is None else Resumption(source, memory),
                )

        return send

    def splits(self, size_bytes: int) -> bool:
        """Tell whether a file of this size moves in parts."""
        return size_bytes >= self._options.split_from_bytes

    def _is_small(self, size_bytes: int) -> bool:
        return size_bytes <= self._options.memory_bytes and not self.splits(size_bytes)

    def upload_object(
        self,
        source_client: S3Client,
        source_bucket: str,
        source_key: str,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        conditions: WriteConditions = _ANY,
        advance: Advance = _ignore,
        source_version_id: str | None = None,
    ) -> PutResult:
        """Store an object of another service under a key, without touching the disk.

        Args:
            source_client: the other service.
            source_bucket: where from.
            source_key: what.
            bucket: where to.
            key: the new name.
            attributes: what the object is given; None keeps those of the source.
            conditions: when it may be written.
            advance: as for `upload_file`.
            source_version_id: None for the current version.

        Raises:
            IntegrityError: what arrived is not what left.
            ServiceError, NetworkError: a service refused or went away.
        """
        info = source_client.head_object(source_bucket, source_key, version_id=source_version_id)

        def read(part: ByteRange) -> ObjectStream:
            return open_stretch(
                source_client, source_bucket, source_key, part, info, version_id=source_version_id
            )

        kept = attributes or attributes_of(
            source_client, source_bucket, source_key, info, version_id=source_version_id
        )
        made = upload(
            self._client,
            ObjectSource(read, info, f"{source_bucket}/{source_key}"),
            Target(bucket, key, kept, conditions),
            Meter(advance),
            options=self._options,
            threads=self._threads,
        )
        _compare(info, made, f"{bucket}/{key}")
        return made

    def copy_object(
        self,
        source_bucket: str,
        source_key: str,
        bucket: str,
        key: str,
        *,
        attributes: Attributes | None = None,
        advance: Advance = _ignore,
        source_version_id: str | None = None,
    ) -> PutResult:
        """Copy an object of any size within the service; no byte comes here.

        Args:
            source_bucket: where from.
            source_key: what.
            bucket: where to.
            key: the new name.
            attributes: what the copy is given; None keeps those of the source.
            advance: as for `upload_file`.
            source_version_id: None for the current version.

        Raises:
            IntegrityError: the copy is not what the source is.
            ServiceError, NetworkError: the service refused or went away.
        """
        info = self._client.head_object(source_bucket, source_key, version_id=source_version_id)
        meter = Meter(advance)
        if info.size_bytes <= self._options.copy_from_bytes:
            copied = self._client.copy_object(
                source_bucket,
                source_key,
                bucket,
                key,
                attributes=attributes,
                if_match=info.etag or None,
                source_version_id=source_version_id,
            )
            meter(info.size_bytes)
            made = PutResult(copied.etag, info.size_bytes, copied.checksum, copied.version_id)
            _compare(info, made, f"{bucket}/{key}")
            return made
        source = CopySource(source_bucket, source_key, info.etag or None, source_version_id)

        def send(upload_id: str, number: int, part: ByteRange) -> PartResult:
            made = self._client.upload_part_copy(source, bucket, key, upload_id, number, part=part)
            meter(part.length)
            return made

        kept = attributes or attributes_of(
            self._client, source_bucket, source_key, info, version_id=source_version_id
        )
        made = in_parts(
            self._client,
            Target(bucket, key, kept, _ANY),
            meter,
            send,
            ranges=self._options.parts(info.size_bytes),
            threads=self._threads,
        )
        _compare(info, made, f"{bucket}/{key}")
        return made

    def download_file(
        self,
        bucket: str,
        key: str,
        path: Path | str,
        *,
        size_bytes: int | None = None,
        version_id: str | None = None,
        mode: int | None = None,
        durable: bool = True,
        advance: Advance = _ignore,
        finish: Finish | None = None,
        replaces: bool = True,
    ) -> ObjectInfo:
        """Write an object to a file that takes its name only when it is whole and verified.

        Args:
            bucket: where from.
            key: the object's name.
            path: the file; its directory must exist.
            size_bytes: what a listing or HEAD said; decides only whether it comes in parts. None
                asks the service.
            version_id: None for the current version.
            mode: permission bits of the file; None for those that the umask leaves.
            durable: whether the file is on the device when this returns. If not, it still takes
                its name only when it is whole and verified, but a power cut may undo that.
            advance: as for `upload_file`.
            finish: called with the file's descriptor, and what is known of the object, before the
                file takes its name; if it raises, there is no file.
            replaces: whether it takes the place of what has the name.

        Raises:
            ConflictError: something has the name and is not to be replaced.
            IntegrityError: the bytes do not have the checksum the service keeps.
            ServiceError, NetworkError: the service refused or went away.
            Error: the file cannot be written.
        """
        return self.begin_download_file(
            bucket,
            key,
            path,
            size_bytes=size_bytes,
            version_id=version_id,
            mode=mode,
            durable=durable,
            advance=advance,
            finish=finish,
            replaces=replaces,
        )()

    def begin_download_file(
        self,
        bucket: str,
        key: str,
        path: Path | str,
        *,
        size_bytes: int | None = None,
        version_id: str | None = None,
        mode: int | None = None,
        durable: bool = True,
        advance: Advance = _ignore,
        finish: Finish | None = None,
        replaces: bool = True,
    ) -> Callable[[], ObjectInfo]:
        """Ask for a small object; what is returned waits for it and writes the file.

        It must be called, and raises what `download_file` raises; until then
        others may be begun. One that is not small is not asked for yet.
        """
        if size_bytes is None:
            size_bytes = self._client.head_object(bucket, key, version_id=version_id).size_bytes
        meter = Meter(advance)
        download = Download(self._client, bucket, key, version_id=version_id, meter=meter)
        file = FileOptions(mode, durable, finish, replaces)
        if self._is_small(size_bytes):
            return download.begin(path, file)

        def fetch() -> ObjectInfo:
            if self.splits(size_bytes):
                return download.in_parts(path, file, options=self._options, threads=self._threads)
            with self._lane(size_bytes, meter):
                return download.in_one(path, file)

        return fetch

    @contextlib.contextmanager
    def _lane(self, size_bytes: int, meter: Meter) -> Iterator[None]:
        """Hold a lane for what moves in one piece; parts have their threads."""
        with self._lanes.lane(0 if self.splits(size_bytes) else size_bytes):
            meter(0)  # it may have been stopped while it waited
            yield

    def close(self) -> None:
        """Wait for running parts and end the threads."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def attributes_of(
    client: S3Client, bucket: str, key: str, info: ObjectInfo, *, version_id: str | None = None
) -> Attributes:
    """Return what a copy of an object must be given to be like it, its tags among that.

    Services count an object's tags for those only who may read them.

    Args:
        client: the service that has the object.
        bucket: where it is.
        key: its name.
        info: what is known of it.
        version_id: None for the current version.

    Raises:
        ServiceError, NetworkError: the service refused or went away.
    """
    tags = None
    if info.service_headers.get(TAG_COUNT_HEADER, "0") != "0":
        tags = client.get_object_tagging(bucket, key, version_id=version_id)
    return Attributes(info.content_headers, info.metadata, tags=tags)


def _compare(source: ObjectInfo, made: PutResult, subject: str) -> None:
    """Compare both services' checksums, where both keep the same kind over all bytes."""
    before, after = source.checksum, made.checksum
    if before is None or after is None or before.algorithm != after.algorithm:
        return
    if before.type == after.type == FULL_OBJECT and before.value != after.value:
        raise IntegrityError(f"{subject}: the copy does not have the checksum of its source")
