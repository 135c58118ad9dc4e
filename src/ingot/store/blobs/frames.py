"""The frames of a blob: which bytes they hold, their checksums, and the footer that lists them.

A blob's file is its bytes as they are, then a footer: one CRC32C for each frame, then a trailer.
The layout is specified in `docs/explanation/on-disk-format.md`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ingot.base.units import MIB
from ingot.s3.crc import crc32c
from ingot.store.blobs.contract import FRAME_BYTES, BlobRef, PieceBytes
from ingot.store.errors import BlobDamagedError

# Reads that many bytes from that offset; fewer only where the file ends.
Pread = Callable[[int, int], bytes]

MAGIC = b"INGOTBLB"
VERSION = 1
# What the trailer may name; blobs are written with `FRAME_BYTES`.
FRAME_BYTES_MIN = FRAME_BYTES
FRAME_BYTES_MAX = 1 * MIB

# magic, version, frame size, size of the content, CRC32C of the table.
_TRAILER = struct.Struct("<8sHxxIQI")
_SUM = struct.Struct("<I")


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


def read_frames(
    pread: Pread, ref: BlobRef, start: int, stop: int, piece_bytes: PieceBytes
) -> Iterator[bytes]:
    """Yield the bytes `[start, stop)` of a blob, each frame verified before it is cut.

    Nothing is kept between two pieces but the offset: a frame of which one piece took a part is
    read and verified again for the next.

    Raises:
        BlobDamagedError: the footer or a frame is not what was sealed.
    """
    try:
        # Less is there when the frames are larger.
        footer = pread(_footer_bytes(ref.size_bytes, FRAME_BYTES_MIN), ref.size_bytes)
        frame_bytes = _check_footer(footer, ref)
        del footer  # a table of thousands of frames, and the reader may stay for hours
        while start < stop:
            piece_stop = _piece_stop(start, stop, piece_bytes(), frame_bytes)
            yield _read_verified(pread, ref, start, piece_stop, frame_bytes)
            start = piece_stop
    except OSError as error:
        raise BlobDamagedError(ref.id, f"the device cannot read it: {error.strerror}") from error


def _piece_stop(start: int, stop: int, piece_bytes: int, frame_bytes: int) -> int:
    """Return where a piece ends: at the end of a frame if it reaches one."""
    allowed = start + piece_bytes
    if allowed >= stop:
        return stop
    frame_end = allowed - allowed % frame_bytes
    return frame_end if frame_end > start else allowed


def _read_verified(pread: Pread, ref: BlobRef, start: int, stop: int, frame_bytes: int) -> bytes:
    """Return the bytes `[start, stop)` after verifying the frames that hold them."""
    first, behind = start // frame_bytes, -(-stop // frame_bytes)
    offset = first * frame_bytes
    frames = pread(min(behind * frame_bytes, ref.size_bytes) - offset, offset)
    # The seal vouched for the table when the reader began; an entry that changed since is found
    # as a frame that does not match.
    table = pread(4 * (behind - first), ref.size_bytes + 4 * first)
    view = memoryview(frames)
    for index in range(behind - first):
        frame = view[index * frame_bytes : (index + 1) * frame_bytes]
        if _SUM.pack(checksum(frame)) != table[4 * index : 4 * index + 4]:
            raise BlobDamagedError(ref.id, f"frame {first + index} has a wrong checksum")
    if (start, stop) == (offset, offset + len(frames)):
        return frames
    return frames[start - offset : stop - offset]


def _footer_bytes(size_bytes: int, frame_bytes: int) -> int:
    return 4 * -(-size_bytes // frame_bytes) + _TRAILER.size


def _check_footer(footer: bytes, ref: BlobRef) -> int:
    """Return the size of the blob's frames."""
    if len(footer) < _TRAILER.size:
        raise BlobDamagedError(ref.id, "the file is cut")
    table, trailer = footer[: -_TRAILER.size], footer[-_TRAILER.size :]
    magic, version, frame_bytes, size_bytes, seal = _TRAILER.unpack(trailer)
    if magic != MAGIC:
        raise BlobDamagedError(ref.id, "the footer is missing")
    if version != VERSION or not FRAME_BYTES_MIN <= frame_bytes <= FRAME_BYTES_MAX:
        raise BlobDamagedError(
            ref.id, f"format {version} with frames of {frame_bytes} bytes is unknown"
        )
    if (size_bytes, seal) != (ref.size_bytes, ref.seal):
        raise BlobDamagedError(ref.id, "this is another blob than the one that was sealed")
    if checksum(table) != seal:
        raise BlobDamagedError(ref.id, "the table of checksums is damaged")
    if len(footer) != _footer_bytes(size_bytes, frame_bytes):
        raise BlobDamagedError(ref.id, "the table of checksums is cut")
    frame_size: int = frame_bytes
    return frame_size
