"""What uploads read their bytes from; every body can be read anew for a retry."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ingot.base.errors import ConflictError, Error, NotFoundError
from ingot.s3.chunked import ENCODED_CHUNK_BYTES
from ingot.s3.ranges import ByteRange
from ingot.s3client.errors import ServiceConflictError
from ingot.s3client.results import ObjectInfo, ObjectStream
from ingot.s3client.verify import Verifier

# Told of bytes as they move; a retry takes back what it repeats. It may raise to stop.
Advance = Callable[[int], None]


class SourceChangedError(ConflictError):
    """What is uploaded changed meanwhile; nothing of it was stored."""

    slug = "changed"


class Body(Protocol):
    """Bytes to send."""

    @property
    def size_bytes(self) -> int:
        """How many."""
        ...

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start, best in blocks of 1 MiB; asked anew for every attempt.

        Raises:
            Error: they cannot be read.
        """
        ...


def exactly(body: Body) -> Iterator[bytes]:
    """Yield a body's bytes in the blocks that framing wants, and as many as it said.

    What it said is in the headers already: with fewer the service would wait for the rest, and
    take what is more for another request.

    Raises:
        SourceChangedError: they are more, or fewer.
        Error: as `Body.blocks`.
    """
    missing = body.size_bytes
    held = bytearray()
    for block in body.blocks():
        missing -= len(block)
        if missing < 0:
            break
        if not held and len(block) == ENCODED_CHUNK_BYTES:
            yield block
            continue
        held += block
        while len(held) >= ENCODED_CHUNK_BYTES or (held and not missing):
            yield bytes(held[:ENCODED_CHUNK_BYTES])
            del held[:ENCODED_CHUNK_BYTES]
    if missing:
        raise SourceChangedError(f"a body of {body.size_bytes} bytes has more or fewer than that")


@contextmanager
def unchanged(subject: str) -> Iterator[None]:
    """Tell an object that was replaced while it was read from other conflicts: it is read anew.

    Raises:
        SourceChangedError: it does not have the ETag any more that it was asked for with.
    """
    try:
        yield
    except ServiceConflictError as error:
        if error.code != "PreconditionFailed":
            raise
        raise SourceChangedError(f"{subject} changed while it was read") from error


class BytesBody:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size_bytes(self) -> int:
        """How many."""
        return len(self.data)

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the start."""
        for start in range(0, len(self.data), ENCODED_CHUNK_BYTES):
            yield self.data[start : start + ENCODED_CHUNK_BYTES]


def as_body(body: Body | bytes) -> Body:
    """Take bytes of any kind for a body.

    Raises:
        TypeError: it is neither bytes nor a body.
    """
    if isinstance(body, bytes | bytearray | memoryview):
        return BytesBody(bytes(body))
    if not hasattr(body, "blocks"):
        raise TypeError(f"what is uploaded must be bytes or a Body, not {type(body).__name__}")
    return body


class Source(Protocol):
    """Something of known size that an object is made from, whole or in parts by several threads."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it has in all."""
        ...

    def body(self, part: ByteRange, advance: Advance) -> Body:
        """Return a stretch of it."""
        ...

    def check(self) -> None:
        """Make sure, before parts become an object, that they are of what the source is as a whole.

        Raises:
            SourceChangedError: it changed meanwhile.
            IntegrityError: other bytes arrived than it has.
        """
        ...


class FileSource:
    """A file that must not change while it is read; a context manager.

    Args:
        path: its name.
        descriptor: of the file, where it is open; it stays so.

    Raises:
        NotFoundError: it is gone.
        Error: it cannot be opened, or is no plain file.
    """

    def __init__(self, path: Path, descriptor: int | None = None) -> None:
        self._path = path
        try:
            # A pipe would wait here for somebody who writes to it.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
            self._descriptor = os.open(path, flags) if descriptor is None else os.dup(descriptor)
        except FileNotFoundError as error:
            raise NotFoundError(f"{path} does not exist") from error
        except OSError as error:
            raise Error(f"{path} cannot be opened: {error.strerror}") from error
        self._opened = os.fstat(self._descriptor)
        if not stat.S_ISREG(self._opened.st_mode):
            self.close()
            raise Error(f"{path} is not a plain file")

    @property
    def size_bytes(self) -> int:
        """How many bytes it had when it was opened."""
        return self._opened.st_size

    def body(self, part: ByteRange, advance: Advance) -> Body:
        """Return a stretch of it."""
        return _FileBody(self, part, advance)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Read exactly that many bytes; the file's position is neither used nor moved.

        Raises:
            SourceChangedError: the file became shorter.
            Error: it cannot be read.
        """
        pieces = []
        while size_bytes:
            piece = self._read_some(offset, size_bytes)
            if not piece:
                raise SourceChangedError(f"{self._path} became shorter while it was read")
            pieces.append(piece)
            offset += len(piece)
            size_bytes -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read_some(self, offset: int, size_bytes: int) -> bytes:
        try:
            return os.pread(self._descriptor, size_bytes, offset)
        except OSError as error:
            raise Error(f"{self._path} cannot be read: {error.strerror}") from error

    def check(self) -> None:
        """Compare size and times with those at the opening.

        Raises:
            SourceChangedError: somebody wrote to the file, or it has more than its size.
            Error: it cannot be read.
        """
        if _looks(os.fstat(self._descriptor)) != _looks(self._opened):
            raise SourceChangedError(f"{self._path} changed while it was read")
        # Some files, as those of /proc, say that they are empty and are not.
        if self._read_some(self._opened.st_size, 1):
            raise SourceChangedError(f"{self._path} has more bytes than its size says")

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _looks(status: os.stat_result) -> tuple[int, int, int]:
    # Who writes may put the mtime back, but nobody the ctime.
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Reported:
    """Reports bytes as they leave, and takes them back when they leave again."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._done_bytes = 0

    def restart(self) -> None:
        # Also where there is nothing to take back: it may have been stopped.
        self.add(-self._done_bytes)

    def add(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        self._advance(size_bytes)


class _FileBody:
    def __init__(self, source: FileSource, part: ByteRange, advance: Advance) -> None:
        self._source = source
        self._part = part
        self._reported = _Reported(advance)

    @property
    def size_bytes(self) -> int:
        return self._part.length

    def blocks(self) -> Iterator[bytes]:
        self._reported.restart()
        offset, end = self._part.start, self._part.start + self._part.length
        if offset == end:
            self._source.check()
        while offset < end:
            block = self._source.read(offset, min(ENCODED_CHUNK_BYTES, end - offset))
            offset += len(block)
            if offset == end:
                # Before the last block leaves: without it the service keeps nothing.
                self._source.check()
            yield block
            self._reported.add(len(block))


class ObjectSource:
    """An object of a service, uploaded to another without touching the disk.

    Its bytes are summed up as they pass, and compared before the other service gets the last of
    them. An object that has only an MD5, and moves in parts, cannot be: those do not add up.

    Args:
        read: opens a stretch of the object, with its ETag as a condition.
        info: what is known of it.
        subject: `bucket/key` for messages.
    """

    def __init__(
        self, read: Callable[[ByteRange], ObjectStream], info: ObjectInfo, subject: str = ""
    ) -> None:
        self.read = read
        self._info = info
        self._subject = subject
        self._digests: dict[ByteRange, bytes] = {}

    @property
    def size_bytes(self) -> int:
        """How many bytes it has in all."""
        return self._info.size_bytes

    def body(self, part: ByteRange, advance: Advance) -> Body:
        """Return a stretch of it."""
        return _ObjectBody(self, part, advance)

    def check(self) -> None:
        """Compare what the parts add up to."""
        if self._digests:
            parts = sorted(self._digests.items(), key=lambda item: item[0].start)
            self._verifier().check_parts([(digest, part) for part, digest in parts])

    def summed_up(self, part: ByteRange, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Pass the bytes of a stretch on.

        Raises:
            IntegrityError: they were all of the object, and others than it has; said at the end.
        """
        verifier = self._verifier()
        if part.length == self._info.size_bytes:
            for piece in pieces:
                verifier.update(piece)
                yield piece
            verifier.check()
        elif (total := verifier.part()) is not None:
            for piece in pieces:
                total.update(piece)
                yield piece
            self._digests[part] = total.digest()
        else:
            yield from pieces

    def _verifier(self) -> Verifier:
        return Verifier(self._info, self._subject)


class _ObjectBody:
    def __init__(self, source: ObjectSource, part: ByteRange, advance: Advance) -> None:
        self._source = source
        self._part = part
        self._reported = _Reported(advance)

    @property
    def size_bytes(self) -> int:
        return self._part.length

    def blocks(self) -> Iterator[bytes]:
        self._reported.restart()
        if not self._part.length:
            return
        held = bytearray()
        with self._source.read(self._part) as stream:
            for piece in self._source.summed_up(self._part, stream):
                held += piece
                # The last block stays until it is known that all of them are right.
                while len(held) > ENCODED_CHUNK_BYTES:
                    block = bytes(held[:ENCODED_CHUNK_BYTES])
                    del held[:ENCODED_CHUNK_BYTES]
                    yield block
                    self._reported.add(len(block))
        if held:
            yield bytes(held)
            self._reported.add(len(held))
