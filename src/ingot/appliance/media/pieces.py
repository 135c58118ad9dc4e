"""A medium as pieces of content at offsets: composed in memory, streamed once, sparse between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ingot.oci.tree import Content

SECTOR_BYTES = 512
# Partitions and file contents start at multiples of what every disk and CD reads at once.
ALIGNMENT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Piece:
    """Content at `offset`, in bytes from the beginning of the medium."""

    offset: int
    content: Content


def shifted(pieces: Iterable[Piece], offset: int) -> Iterator[Piece]:
    """Yield the pieces of a medium that begins at `offset` of a larger one."""
    return (Piece(offset + piece.offset, piece.content) for piece in pieces)


def write_pieces(path: Path, size_bytes: int, pieces: Iterable[Piece]) -> None:
    """Write a new file of `size_bytes` with the pieces in it; what no piece covers is zero.

    Raises:
        OSError: the file exists or cannot be written.
        IntegrityError: a piece's source is shorter than it was.
    """
    with path.open("xb") as file:
        for piece in pieces:
            assert piece.offset + piece.content.size_bytes <= size_bytes
            file.seek(piece.offset)
            file.writelines(piece.content.chunks())
        file.truncate(size_bytes)


def align(value: int, alignment: int = ALIGNMENT_BYTES) -> int:
    """Return the next multiple of `alignment`, or `value` if it is one."""
    return -(-value // alignment) * alignment
