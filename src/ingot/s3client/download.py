"""Downloading an object to a file that appears only when it is whole, verified and durable."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ingot.base.atomic import atomic_descriptor
from ingot.base.direct import DirectWriter, aligned_buffer, reserve, write_all
from ingot.base.errors import ConflictError, Error, NetworkError
from ingot.base.limits import TRANSFER_CHUNK_BYTES
from ingot.base.units import MIB
from ingot.s3.ranges import ByteRange
from ingot.s3client.client import S3Client
from ingot.s3client.parts import Meter, TransferOptions, run_parts
from ingot.s3client.results import ObjectInfo, ObjectStream
from ingot.s3client.stretches import is_told_apart, open_stretch
from ingot.s3client.verify import Verifier

# A connection that breaks in the middle is picked up where it broke; when that brings no byte
# so often in a row, the service counts as gone.
_FRUITLESS_RESUMES_MAX = 3


# Below this, what the page cache costs is less than waiting for the device.
_DIRECT_FROM_BYTES = 4 * MIB
# Those that nobody uses, the last that was used at the end: a cache of the processor may have it.
_free_buffers: list[memoryview] = []

# Takes a block and where it belongs.
Write = Callable[[memoryview, int], None]
# Takes the descriptor of a file that is whole, and what is known of its object.
Finish = Callable[[int, ObjectInfo], None]


class FileOptions(NamedTuple):
    """How a downloaded file is made.

    Attributes:
        mode: permission bits; None for those that the umask leaves.
        durable: whether it is on the device when the download returns.
        finish: does what is to be done before the file takes its name.
        replaces: whether it takes the place of what has the name.
    """

    mode: int | None = None
    durable: bool = True
    finish: Finish | None = None
    replaces: bool = True


class Download:
    """One object on its way to a file.

    Args:
        client: the service.
        bucket: where from.
        key: the object's name.
        version_id: None for the current version.
        meter: told of bytes as they arrive.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        key: str,
        *,
        version_id: str | None,
        meter: Meter,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._version_id = version_id
        self._meter = meter

    def in_one(self, path: Path | str, file: FileOptions) -> ObjectInfo:
        """Fetch it with one request, more only if the connection breaks.

        Raises:
            IntegrityError: the bytes are not those of the object's checksum.
            Error: the service refused or went away, or the file cannot be written.
        """
        return self.begin(path, file)()

    def begin(self, path: Path | str, file: FileOptions) -> Callable[[], ObjectInfo]:
        """Ask for it; what is returned fetches it as `in_one` does, and must be called."""
        opened = self._client.begin_get_object(self._bucket, self._key, version_id=self._version_id)
        return lambda: self._received(opened(), path, file)

    def _received(self, stream: ObjectStream, path: Path | str, file: FileOptions) -> ObjectInfo:
        info = stream.info
        with stream, _buffer() as buffer:
            verifier = Verifier(info, self._subject)
            if info.size_bytes <= len(buffer):
                self._receive_small(stream, path, file, buffer, verifier)
                return info
            with (
                _written(path, file, info) as descriptor,
                _writer(descriptor, info.size_bytes) as write,
            ):

                def take(block: memoryview, offset: int) -> None:
                    write(block, offset)
                    verifier.update(block)

                self._pull(stream, ByteRange(0, info.size_bytes), info, buffer, take)
                verifier.check()
        return info

    def _receive_small(
        self,
        stream: ObjectStream,
        path: Path | str,
        file: FileOptions,
        buffer: memoryview,
        verifier: Verifier,
    ) -> None:
        """Write what fits a buffer: it is known to be right before there is a file."""
        info = stream.info
        self._pull(
            stream, ByteRange(0, info.size_bytes), info, buffer, lambda _block, _offset: None
        )
        content = buffer[: info.size_bytes]
        verifier.update(content)
        verifier.check()
        with _written(path, file, info) as descriptor:
            write_all(descriptor, content, 0)

    def in_parts(
        self,
        path: Path | str,
        file: FileOptions,
        *,
        options: TransferOptions,
        threads: ThreadPoolExecutor,
    ) -> ObjectInfo:
        """Fetch it with a request for each part, several at once.

        Raises:
            IntegrityError: the bytes are not those of the object's checksum.
            Error: the service refused or went away, or the file cannot be written.
        """
        info = self._client.head_object(self._bucket, self._key, version_id=self._version_id)
        if not is_told_apart(info):
            return self.in_one(path, file)
        verifier = Verifier(info, self._subject)
        with (
            _written(path, file, info) as descriptor,
            _writer(descriptor, info.size_bytes, is_reread=verifier.wants_order) as write,
        ):

            def fetch(part: ByteRange) -> bytes | None:
                total = verifier.part()

                def take(block: memoryview, offset: int) -> None:
                    write(block, offset)
                    if total is not None:
                        total.update(block)

                with _buffer() as buffer:
                    self._pull(self._open(part, info), part, info, buffer, take)
                return None if total is None else total.digest()

            ranges = options.parts(info.size_bytes)
            digests = run_parts(threads, fetch, ranges, self._meter)
            known = [digest for digest in digests if digest is not None]
            if known:
                verifier.check_parts(list(zip(known, ranges, strict=True)))
            elif verifier.wants_order:
                _reread(descriptor, info.size_bytes, verifier)
        return info

    @property
    def _subject(self) -> str:
        return f"{self._bucket}/{self._key}"

    def _open(self, part: ByteRange, info: ObjectInfo) -> ObjectStream:
        return open_stretch(
            self._client, self._bucket, self._key, part, info, version_id=self._version_id
        )

    def _pull(
        self,
        stream: ObjectStream,
        part: ByteRange,
        info: ObjectInfo,
        buffer: memoryview,
        take: Write,
    ) -> None:
        """Hand all of the part to `take`, a buffer at a time, whatever the connection does."""
        filling = _Filling(part, buffer, take)
        fruitless = 0
        while True:
            before_bytes = filling.missing_bytes
            try:
                with stream:
                    while filling.missing_bytes:
                        self._meter(filling.receive(stream))
            except NetworkError:
                fruitless = 0 if filling.missing_bytes < before_bytes else fruitless + 1
                if fruitless > _FRUITLESS_RESUMES_MAX or not is_told_apart(info):
                    raise
                self._meter(0)  # it may have been stopped
                stream = self._open(filling.missing, info)
            else:
                return


class _Filling:
    """The bytes of a part, gathered in a buffer and handed on when it is full.

    Attributes:
        missing_bytes: how many have not arrived.
    """

    def __init__(self, part: ByteRange, buffer: memoryview, take: Write) -> None:
        self._take = take
        self._buffer = buffer
        # What the buffer begins with, and how much of it is full.
        self._start = part.start
        self._filled_bytes = 0
        self._end = part.start + part.length
        self.missing_bytes = part.length

    @property
    def missing(self) -> ByteRange:
        """What has not arrived."""
        return ByteRange(self._end - self.missing_bytes, self.missing_bytes)

    def receive(self, stream: ObjectStream) -> int:
        """Wait for some bytes and return how many came.

        Raises:
            NetworkError: the stream ended, or broke.
            OSError: they cannot be written.
        """
        room = self._buffer[self._filled_bytes : self._end - self._start]
        count = stream.read_into(room)
        if not count:
            raise NetworkError("the answer ended too early")
        self._filled_bytes += count
        self.missing_bytes -= count
        if count == len(room):
            self._take(self._buffer[: self._filled_bytes], self._start)
            self._start, self._filled_bytes = self._start + self._filled_bytes, 0
        return count


@contextlib.contextmanager
def _written(path: Path | str, file: FileOptions, info: ObjectInfo) -> Iterator[int]:
    try:
        with atomic_descriptor(
            str(path), mode=file.mode, durable=file.durable, replaces=file.replaces
        ) as descriptor:
            yield descriptor
            if file.finish is not None:
                file.finish(descriptor, info)
    except FileExistsError as error:
        raise ConflictError(f"{path} appeared meanwhile; it stays as it is") from error
    except OSError as error:
        raise Error(f"{path} cannot be written: {error.strerror or error}") from error


@contextlib.contextmanager
def _writer(descriptor: int, size_bytes: int, *, is_reread: bool = False) -> Iterator[Write]:
    """Yield what writes a block of an aligned buffer at an offset.

    Large files go past the page cache, unless they are read again at once.
    """
    if size_bytes < _DIRECT_FROM_BYTES or is_reread:
        yield partial(write_all, descriptor)
        return
    reserve(descriptor, size_bytes)
    with contextlib.closing(DirectWriter(descriptor)) as writer:
        yield writer.write


@contextlib.contextmanager
def _buffer() -> Iterator[memoryview]:
    """Yield a buffer of `BUFFER_BYTES`; there are as many as were in use at once."""
    try:
        buffer = _free_buffers.pop()
    except IndexError:
        buffer = aligned_buffer()
    try:
        yield buffer
    finally:
        _free_buffers.append(buffer)


def _reread(descriptor: int, size_bytes: int, verifier: Verifier) -> None:
    """Sum up a file whose parts came out of order, by a checksum that needs them in order."""
    for offset in range(0, size_bytes, TRANSFER_CHUNK_BYTES):
        verifier.update(os.pread(descriptor, TRANSFER_CHUNK_BYTES, offset))
    verifier.check()
