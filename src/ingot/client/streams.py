"""Objects to standard output and from standard input, whose length nobody knows beforehand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from ingot.base.errors import Error, NetworkError, NotFoundError, UsageError
from ingot.base.limits import PART_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX
from ingot.base.units import MIB, format_size, parse_size
from ingot.client.addresses import RemoteAddress
from ingot.client.given import content_headers_of
from ingot.s3.ranges import ByteRange
from ingot.s3client.client import S3Client
from ingot.s3client.results import Attributes, PartResult
from ingot.s3client.stretches import is_told_apart, open_stretch
from ingot.s3client.upload import abandon
from ingot.s3client.verify import Verifier
from ingot.transport.cord import branch

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
# A connection that breaks is picked up where it broke; this often in a row without a byte, the
# service counts as gone.
_FRUITLESS_RESUMES_MAX = 3
_PART_BYTES = 16 * MIB
# Parts double in size this often, so that 10,000 of them hold 585 GiB, of which one is in memory.
_PARTS_PER_SIZE = 2500


def read_object(
    client: S3Client, address: RemoteAddress, *, version_id: str | None = None
) -> Generator[bytes]:
    """Yield an object's bytes, of one and the same version to the end.

    Args:
        client: the service.
        address: the object.
        version_id: None for the current version.

    Raises:
        NotFoundError: there is no such object.
        ConflictError: it was replaced after the connection broke.
        IntegrityError: the bytes, which were handed out already, are not those that were stored.
        NetworkError: the service went away.
    """
    stream = client.get_object(address.bucket, address.key, version_id=version_id)
    info = stream.info
    verifier = Verifier(info, str(address))
    offset = fruitless = 0
    while True:
        try:
            with stream:
                for piece in stream.unverified():
                    offset += len(piece)
                    fruitless = 0
                    verifier.update(piece)
                    yield piece
        except NetworkError:
            fruitless += 1
            if fruitless > _FRUITLESS_RESUMES_MAX or not is_told_apart(info):
                raise
        if offset >= info.size_bytes:
            verifier.check()
            return
        rest = ByteRange(offset, info.size_bytes - offset)
        stream = open_stretch(
            client, address.bucket, address.key, rest, info, version_id=version_id
        )


def read_file(path: Path, *, offset: int = 0, tail: int | None = None) -> Generator[bytes]:
    """Yield a local file's bytes, as `read_stretch` does those of an object.

    Raises:
        NotFoundError: there is no such file.
        Error: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            if tail is not None:
                offset = max(0, path.stat().st_size - tail)
            if offset:
                file.seek(offset)
            while piece := file.read(MIB):
                yield piece
    except FileNotFoundError as error:
        raise NotFoundError(f"{path} does not exist") from error
    except OSError as error:
        raise Error(f"cannot read {path}: {error.strerror}") from error


def read_stretch(
    client: S3Client,
    address: RemoteAddress,
    *,
    offset: int = 0,
    tail: int | None = None,
    version_id: str | None = None,
) -> Generator[bytes]:
    """Yield an object's bytes from an offset on, or its last ones; nothing sums up a stretch.

    Args:
        client: the service.
        address: the object.
        offset: how many bytes are left out at its beginning.
        tail: how many bytes at its end are wanted; None for all.
        version_id: None for the current version.

    Raises:
        Error: as `read_object`.
    """
    info = client.head_object(address.bucket, address.key, version_id=version_id)
    if tail is not None:
        offset = max(0, info.size_bytes - tail)
    fruitless = 0
    while offset < info.size_bytes:
        rest = ByteRange(offset, info.size_bytes - offset)
        with open_stretch(
            client, address.bucket, address.key, rest, info, version_id=version_id
        ) as stream:
            try:
                for piece in stream:
                    offset += len(piece)
                    fruitless = 0
                    yield piece
            except NetworkError:
                fruitless += 1
                if fruitless > _FRUITLESS_RESUMES_MAX or not is_told_apart(info):
                    raise


def read_part(
    client: S3Client, address: RemoteAddress, number: int, *, version_id: str | None = None
) -> Generator[bytes]:
    """Yield the bytes of one part of those that an object was uploaded in; nothing sums it up.

    Raises:
        UsageError: the object has no such part.
        Error: as `read_object`.
    """
    with client.get_object(
        address.bucket, address.key, version_id=version_id, part_number=number
    ) as stream:
        yield from stream


def first_lines(pieces: Iterable[bytes], lines: int) -> Iterator[bytes]:
    """Yield the bytes up to and with the line break that ends the last of `lines` lines."""
    missing = lines
    if not missing:
        return
    for piece in pieces:
        end = -1
        while missing and (end := piece.find(b"\n", end + 1)) >= 0:
            missing -= 1
        if not missing:
            yield piece[: end + 1]
            return
        yield piece


def parse_part_size(text: str) -> int:
    """Read the size of a part in bytes, `16M`.

    Raises:
        UsageError: it is none that S3 has.
    """
    size_bytes = parse_size(text)
    if not PART_BYTES_MIN <= size_bytes <= PART_BYTES_MAX:
        raise UsageError(f"{text!r} is no size of a part", hint="5M to 5G")
    return size_bytes


def write_object(
    client: S3Client,
    address: RemoteAddress,
    file: BinaryIO,
    attributes: Attributes | None = None,
    *,
    part_bytes: int = _PART_BYTES,
    concurrent: int = 1,
    splits: bool = True,
) -> int:
    """Store what `file` has until its end, and return how many bytes that were.

    If anything fails, nothing stays behind.

    Args:
        client: the service.
        address: the object.
        file: what is read.
        attributes: what the object is given beside its bytes; a type by its name if None.
        part_bytes: the size of its first parts; later ones grow.
        concurrent: how many parts are sent at once; so many are in memory, and one that is read.
        splits: whether it may go in several parts.

    Raises:
        UsageError: it is longer than 10,000 parts hold, or the one that it may have.
        DeniedError, NotFoundError, NetworkError: the service refused or went away.
    """
    attributes = attributes or Attributes(content_headers_of(address.key))
    first = _read_fully(file, part_bytes)
    if len(first) < part_bytes:
        client.put_object(address.bucket, address.key, first, attributes=attributes)
        return len(first)
    if not splits:
        raise UsageError(
            f"the input has {format_size(part_bytes)} or more, too much for one request"
            " while nobody knows its length",
            hint="leave out --disable-multipart, or give 'ingot pipe' a larger --part-size",
        )
    return sum(
        part.size_bytes
        for part in write_blocks(
            client,
            address,
            _cut(first, file, part_bytes),
            attributes,
            concurrent=concurrent,
        )
    )


def write_blocks(
    client: S3Client,
    address: RemoteAddress,
    blocks: Iterable[bytes],
    attributes: Attributes | None = None,
    *,
    concurrent: int = 1,
) -> list[PartResult]:
    """Store blocks as the parts of an object, so many at once.

    All but the last must be as long as S3 wants parts to be. If anything fails, nothing stays
    behind.

    Raises:
        DeniedError, NotFoundError, NetworkError: the service refused or went away.
    """
    bucket, key = address.bucket, address.key
    upload_id = client.create_multipart_upload(bucket, key, attributes=attributes).upload_id

    def send(numbered: tuple[int, bytes]) -> PartResult:
        return client.upload_part(bucket, key, upload_id, *numbered)

    try:
        parts = list(_in_turn(send, enumerate(blocks, 1), concurrent))
        client.complete_multipart_upload(bucket, key, upload_id, parts)
    except BaseException as error:
        abandon(client, bucket, key, upload_id, error)
        raise
    return parts


def _in_turn(
    act: Callable[[_Item], _Result], items: Iterable[_Item], concurrent: int
) -> Iterator[_Result]:
    """Yield what `act` makes of items, in their order; no more of them are taken than run."""
    if concurrent == 1:
        yield from map(act, items)
        return
    running: deque[Future[_Result]] = deque()
    # What is on its way ends before the upload is given up, or its parts would outlive it.
    with ThreadPoolExecutor(concurrent, thread_name_prefix="part") as threads, branch() as cord:
        for item in items:
            running.append(threads.submit(cord.run, act, item))
            if len(running) == concurrent:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def _cut(first: bytes, file: BinaryIO, part_bytes: int) -> Iterator[bytes]:
    data, number = first, 1
    while data:
        if number > PARTS_MAX:
            raise UsageError(f"the input is longer than {PARTS_MAX} parts hold")
        yield data
        data = _read_fully(file, min(part_bytes << (number // _PARTS_PER_SIZE), PART_BYTES_MAX))
        number += 1


def _read_fully(file: BinaryIO, size_bytes: int) -> bytes:
    pieces = []
    while size_bytes and (piece := file.read(size_bytes)):
        pieces.append(piece)
        size_bytes -= len(piece)
    return b"".join(pieces)
