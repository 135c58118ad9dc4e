"""One file or object through a single stream, part after part: how fast a service is by itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.limits import PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX
from ingot.base.units import format_size
from ingot.client.addresses import RemoteAddress
from ingot.client.connections import Connections
from ingot.client.streams import read_object, write_blocks
from ingot.s3client.client import S3Client


@dataclass(frozen=True, slots=True)
class Portion:
    """Which stretch of the input is taken: `parts` parts behind the first `skip`; None is all."""

    part_bytes: int
    parts: int | None = None
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Moved:
    """What went through the stream."""

    size_bytes: int
    parts: int


def send(
    client: S3Client,
    path: Path,
    target: RemoteAddress,
    portion: Portion,
    advance: Callable[[int], None],
) -> Moved:
    """Store a stretch of a file, or of a device that never ends, one part at a time.

    One part is held in memory.

    Raises:
        UsageError: S3 has no parts of this size, or not so many.
        Error: the file cannot be read, or the service refused; nothing stays.
    """
    if not PART_BYTES_MIN <= portion.part_bytes <= PART_BYTES_MAX:
        limits = f"{format_size(PART_BYTES_MIN)} to {format_size(PART_BYTES_MAX)}"
        raise UsageError(f"a part has {limits}", hint="give another size=")
    bucket, key = target.bucket, target.key
    try:
        with path.open("rb") as file:
            blocks = _blocks(file, portion)
            first = next(blocks, b"")
            if len(first) < portion.part_bytes:
                client.put_object(bucket, key, first)
                advance(len(first))
                return Moved(len(first), 1)
            parts = write_blocks(client, target, _told(chain([first], blocks), advance))
            return Moved(sum(part.size_bytes for part in parts), len(parts))
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} does not exist") from error
    except OSError as error:
        raise Error(f"cannot read {path}: {error.strerror}") from error


def receive(
    connections: Connections, source: RemoteAddress, path: Path, advance: Callable[[int], None]
) -> Moved:
    """Read an object to a file, or to a device as `/dev/null`; the bytes are verified.

    A file takes its name only when it is whole; a device gets the bytes as they come.

    Raises:
        Error: the service refused, the bytes are not those that were stored, or the file cannot
            be written.
    """
    if not os.path.exists(path) or os.path.isfile(path):
        info = connections.transfers(source.alias).download_file(
            source.bucket, source.key, path, size_bytes=0, advance=advance
        )
        return Moved(info.size_bytes, 1)
    size_bytes = 0
    client = connections.client(source.alias)
    try:
        with path.open("wb") as file, closing(read_object(client, source)) as pieces:
            for piece in pieces:
                file.write(piece)
                size_bytes += len(piece)
                advance(len(piece))
    except OSError as error:
        raise Error(f"cannot write {path}: {error.strerror}") from error
    return Moved(size_bytes, 1)


def _told(blocks: Iterable[bytes], advance: Callable[[int], None]) -> Iterator[bytes]:
    """Pass blocks on, and count each once the next one is asked for."""
    for block in blocks:
        yield block
        advance(len(block))


def _blocks(file: BinaryIO, portion: Portion) -> Iterator[bytes]:
    if portion.skip:
        file.seek(portion.skip * portion.part_bytes)
    taken = 0
    while portion.parts is None or taken < portion.parts:
        block = file.read(portion.part_bytes)
        if not block:
            return
        if taken == PARTS_MAX:
            raise UsageError(f"the input is longer than {PARTS_MAX} parts", hint="give parts=")
        yield block
        taken += 1
