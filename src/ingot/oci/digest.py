"""Content digests as OCI writes them (`sha256:HEX`): checked, and compared with bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from ingot.base.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from hashlib import _Hash

# image-spec, descriptor.md "Registered algorithms".
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class DigestError(IntegrityError):
    """Bytes do not have the digest that names them."""

    slug = "digest"


def check_digest(text: str) -> str:
    """Return `text` if it is a digest of a known algorithm.

    Raises:
        UsageError: it is not.
    """
    if _DIGEST.fullmatch(text):
        return text
    raise UsageError(
        f"{text!r} is not a digest", hint="a digest is sha256: and 64 hexadecimal digits"
    )


def new_hash(digest: str) -> _Hash:
    """Return a hash object of the digest's algorithm."""
    return hashlib.new(check_digest(digest).partition(":")[0])


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of bytes as a digest."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def hex_of(digest: str) -> str:
    """Return the hexadecimal part."""
    return digest.partition(":")[2]


def check_hash(found: _Hash, digest: str, what: str) -> None:
    """Return if a hash over all bytes has the digest.

    Raises:
        DigestError: it has not; `what` names the bytes.
    """
    if found.hexdigest() != hex_of(digest):
        raise DigestError(
            f"{what} does not have the digest {digest} it must have",
            hint="the file, the registry or a proxy on the way is damaged",
        )


def verified(pieces: Iterable[bytes], digest: str, what: str) -> Iterator[bytes]:
    """Yield pieces; after the last one raise as `check_hash` does unless they have the digest."""
    running = new_hash(digest)
    for piece in pieces:
        running.update(piece)
        yield piece
    check_hash(running, digest, what)


class HashedFile:
    """A file that hashes what is written to it.

    Args:
        file: takes the bytes.
        algorithm: `sha256` or `sha512`.
    """

    def __init__(self, file: BinaryIO, algorithm: str) -> None:
        self.hash = hashlib.new(algorithm)
        self._algorithm = algorithm
        self._file = file
        self.size_bytes = 0

    def write(self, data: bytes) -> int:
        """Write and hash."""
        self.hash.update(data)
        self.size_bytes += len(data)
        return self._file.write(data)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        """Write and hash each piece."""
        for piece in pieces:
            self.write(piece)

    @property
    def digest(self) -> str:
        """The digest of all that was written."""
        return f"{self._algorithm}:{self.hash.hexdigest()}"
