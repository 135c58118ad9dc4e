"""What uploads read: blocks of the right length, read anew, from files that may misbehave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingot.base.errors import Error, IntegrityError, NotFoundError
from ingot.s3.checksums import FULL_OBJECT, ChecksumValue, encode, new
from ingot.s3.chunked import ENCODED_CHUNK_BYTES
from ingot.s3.ranges import ByteRange
from ingot.s3client.body import (
    BytesBody,
    FileSource,
    ObjectSource,
    SourceChangedError,
    as_body,
)
from ingot.s3client.results import ObjectInfo

SIZES = [0, 1, ENCODED_CHUNK_BYTES - 1, ENCODED_CHUNK_BYTES, 2 * ENCODED_CHUNK_BYTES + 1]


def ignore(amount_bytes: int) -> None:
    pass


def lengths(blocks: Iterator[bytes]) -> list[int]:
    return [len(block) for block in blocks]


@pytest.mark.parametrize("size_bytes", SIZES)
def test_all_blocks_but_the_last_are_full(tmp_path: Path, size_bytes: int) -> None:
    full, rest = divmod(size_bytes, ENCODED_CHUNK_BYTES)
    expected = [ENCODED_CHUNK_BYTES] * full + ([rest] if rest else [])
    path = tmp_path / "f"
    path.write_bytes(bytes(size_bytes))
    whole = ByteRange(0, size_bytes)

    class Stream:
        """Pieces of another length than blocks."""

        def __enter__(self) -> Iterator[bytes]:
            return iter([bytes(1000)] * (size_bytes // 1000) + [bytes(size_bytes % 1000)])

        def __exit__(self, *_: object) -> None:
            pass

    info = ObjectInfo(size_bytes, "e", 0, {}, {})
    objects = ObjectSource(lambda part: Stream(), info)  # type: ignore[arg-type, return-value]
    assert lengths(BytesBody(bytes(size_bytes)).blocks()) == expected
    assert lengths(objects.body(whole, ignore).blocks()) == expected
    with FileSource(path) as source:
        assert source.size_bytes == objects.size_bytes == size_bytes
        assert lengths(source.body(whole, ignore).blocks()) == expected


@pytest.mark.parametrize("arrives", [b"0123456789", b"012345678X"])
def test_an_object_s_parts_are_summed_up_and_compared(arrives: bytes) -> None:
    total = new("CRC32")
    total.update(b"0123456789")
    checksum = ChecksumValue("CRC32", encode(total.digest()), FULL_OBJECT)

    class Stream:
        def __init__(self, part: ByteRange) -> None:
            self.part = part

        def __enter__(self) -> Iterator[bytes]:
            return iter([arrives[self.part.start :][: self.part.length]])

        def __exit__(self, *_: object) -> None:
            pass

    source = ObjectSource(Stream, ObjectInfo(10, "e", 0, {}, {}, checksum=checksum), "b/k")  # type: ignore[arg-type] # all it needs
    # Not in order, and one of them twice, as a retry has it.
    for part in (ByteRange(6, 4), ByteRange(0, 6), ByteRange(6, 4)):
        assert b"".join(source.body(part, ignore).blocks()) == arrives[part.start :][: part.length]
    if arrives == b"0123456789":
        source.check()
    else:
        with pytest.raises(IntegrityError, match="b/k"):
            source.check()


def test_a_file_that_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    with FileSource(path) as source:
        os.truncate(path, 5)
        with pytest.raises(SourceChangedError, match="shorter"):
            list(source.body(ByteRange(0, 10), ignore).blocks())


def test_a_file_that_is_written_to(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    with FileSource(path) as source:
        os.utime(path, ns=(0, 0))
        with pytest.raises(SourceChangedError, match="changed"):
            list(source.body(ByteRange(0, 10), ignore).blocks())


def test_a_file_that_is_written_to_and_looks_as_before(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    with FileSource(path) as source:
        before = path.stat()
        body = source.body(ByteRange(0, 10), ignore).blocks()
        # A clock tick later, so that its ctime is another.
        while path.stat().st_ctime_ns == before.st_ctime_ns:
            path.write_bytes(b"9876543210")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        with pytest.raises(SourceChangedError, match="changed"):
            list(body)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        FileSource(tmp_path / "missing")
    with pytest.raises(Error, match="cannot be opened"):
        FileSource(tmp_path / ("x" * 300))
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(Error, match="is not a plain file"):
            FileSource(path)


def test_a_file_that_says_it_is_empty_and_is_not() -> None:
    with FileSource(Path("/proc/self/status")) as source:
        assert source.size_bytes == 0
        with pytest.raises(SourceChangedError, match="more bytes"):
            list(source.body(ByteRange(0, 0), ignore).blocks())


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"0123456789")
    source = FileSource(path)
    source.close()
    with pytest.raises(Error, match="cannot be read"):
        source.read(0, 1)


def test_bytes_of_any_kind_are_a_body() -> None:
    for data in (b"abc", bytearray(b"abc"), memoryview(b"abc")):
        body = as_body(data)
        assert (body.size_bytes, b"".join(body.blocks())) == (3, b"abc")
        assert as_body(body) is body
    for other in ("abc", None, 3):
        with pytest.raises(TypeError, match=type(other).__name__):
            as_body(other)  # type: ignore[arg-type] # refused
