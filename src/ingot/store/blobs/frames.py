"""The frames of a blob: which bytes they hold, their checksums, and the footer that lists them.

A blob's file is its bytes as they are, then a footer: one CRC32C for each frame, then a trailer.
The layout is specified in `docs/explanation/on-disk-format.md`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence

from ingot.s3.crc import crc32c
from ingot.store.blobs.contract import FRAME_BYTES, BlobRef
from ingot.store.errors import BlobDamagedError

# Reads that many bytes from that offset; fewer only where the file ends.
Pread = Callable[[int, int], bytes]

MAGIC = b"INGOTBLB"
VERSION = 1

# magic, version, frame size, size of the content, CRC32C of the table.
_TRAILER = struct.Struct("<8sHxxIQI")


class FrameSums:
    """Computes the checksum of every frame of a stream."""

    __slots__ = ("_filled_bytes", "_sums", "size_bytes")

    def __init__(self) -> None:
        self._sums: list[int] = []
        self._filled_bytes = FRAME_BYTES
        self.size_bytes = 0

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the stream."""
        view = memoryview(data)
        self.size_bytes += len(view)
        while view:
            if self._filled_bytes == FRAME_BYTES:
                self._sums.append(0)
                self._filled_bytes = 0
            piece = view[: FRAME_BYTES - self._filled_bytes]
            self._sums[-1] = checksum(piece, self._sums[-1])
            self._filled_bytes += len(piece)
            view = view[len(piece) :]

    def footer(self) -> tuple[bytes, int]:
        """Return the footer and the seal (the CRC32C of its table)."""
        table = struct.pack(f"<{len(self._sums)}I", *self._sums)
        seal = checksum(table)
        return table + _TRAILER.pack(MAGIC, VERSION, FRAME_BYTES, self.size_bytes, seal), seal


def checksum(data: bytes | memoryview, previous: int = 0) -> int:
    """Return the CRC32C of `data`, going on from `previous`."""
    value: int = crc32c(data, previous)
    return value


def read_frames(pread: Pread, ref: BlobRef, start: int, stop: int) -> Iterator[bytes]:
    """Yield the bytes `[start, stop)` of a blob, each frame verified before it is cut.

    Raises:
        BlobDamagedError: the footer or a frame is not what was sealed.
    """
    try:
        sums = _parse_footer(pread(_footer_bytes(ref.size_bytes), ref.size_bytes), ref)
        for index in range(start // FRAME_BYTES, -(-stop // FRAME_BYTES)):
            offset = index * FRAME_BYTES
            frame = pread(min(FRAME_BYTES, ref.size_bytes - offset), offset)
            if checksum(frame) != sums[index]:
                raise BlobDamagedError(ref.id, f"frame {index} has a wrong checksum")
            yield frame[max(0, start - offset) : stop - offset]
    except OSError as error:
        raise BlobDamagedError(ref.id, f"the device cannot read it: {error.strerror}") from error


def _footer_bytes(size_bytes: int) -> int:
    return 4 * -(-size_bytes // FRAME_BYTES) + _TRAILER.size


def _parse_footer(footer: bytes, ref: BlobRef) -> Sequence[int]:
    """Return the frames' checksums."""
    if len(footer) != _footer_bytes(ref.size_bytes):
        raise BlobDamagedError(ref.id, "the file is cut")
    table, trailer = footer[: -_TRAILER.size], footer[-_TRAILER.size :]
    magic, version, frame_bytes, size_bytes, seal = _TRAILER.unpack(trailer)
    if magic != MAGIC:
        raise BlobDamagedError(ref.id, "the footer is missing")
    if (version, frame_bytes) != (VERSION, FRAME_BYTES):
        raise BlobDamagedError(ref.id, f"format {version} is unknown")
    if (size_bytes, seal) != (ref.size_bytes, ref.seal):
        raise BlobDamagedError(ref.id, "this is another blob than the one that was sealed")
    if checksum(table) != seal:
        raise BlobDamagedError(ref.id, "the table of checksums is damaged")
    sums: Sequence[int] = struct.unpack(f"<{len(table) // 4}I", table)
    return sums
