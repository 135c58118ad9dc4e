"""The `aws-chunked` body: a strict push decoder for servers and an encoder for clients.

A body is a row of `SIZE[;chunk-signature=…]CRLF data CRLF`, the last chunk empty, followed by an
optional trailer. Source: Amazon S3 API reference, "Signature calculations for the authorization
header: transferring a payload in multiple chunks" and "… including trailing headers".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from typing import NamedTuple

from ingot.base.units import KIB, MIB
from ingot.s3.checksums import Algorithm, encode
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import EMPTY_SHA256, sign_text

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PAYLOAD_HASHES = frozenset({SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER})

# Size, extension and line end of a chunk; 16 hexadecimal digits are more than any object has.
HEADER_BYTES_MAX = 16 + len(";chunk-signature=") + 64 + 2
TRAILER_BYTES_MAX = 4 * KIB
TRAILERS_MAX = 8
# What Amazon's SDKs send; larger chunks cost the sender memory and save nothing.
ENCODED_CHUNK_BYTES = 1 * MIB

_SIGNED_HEADER = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})")
_UNSIGNED_HEADER = re.compile(rb"([0-9a-fA-F]{1,16})")
_TRAILER = re.compile(r"([A-Za-z0-9-]{1,128}):[ \t]*([\x21-\x7e]{1,1024})[ \t]*")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"


class ChunkSigner:
    """The chain of signatures over a body's chunks; each covers the one before.

    Args:
        key: the signing key of the request.
        timestamp: that of the request.
        scope: its credential scope.
        seed: the signature of its headers.
    """

    def __init__(self, key: bytes, timestamp: str, scope: str, seed: str) -> None:
        self._key = key
        self._prefix = f"{timestamp}\n{scope}"
        self._previous = seed

    def chunk(self, sha256_hex: str) -> str:
        """Sign the next chunk, given the SHA-256 of its data."""
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self._prefix}\n", EMPTY_SHA256, sha256_hex)

    def trailer(self, trailers: Iterable[tuple[str, str]]) -> str:
        """Sign the trailer, after the last chunk."""
        text = "".join(f"{name}:{value}\n" for name, value in trailers)
        digest = hashlib.sha256(text.encode()).hexdigest()
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self._prefix}\n", digest)

    def _next(self, prefix: str, *digests: str) -> str:
        lines = "\n".join((self._previous, *digests))
        self._previous = sign_text(self._key, f"{prefix}{lines}")
        return self._previous


class _State(Enum):
    HEADER = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILER = auto()
    BROKEN = auto()


class ChunkedDecoder:
    """Decode an `aws-chunked` body as it arrives, in memory bounded by the input's pieces.

    Data leaves before its chunk's signature is known, so nothing may be kept of a body until
    `finish` returned. After an error the decoder refuses all further input.

    Args:
        decoded_bytes: the value of `x-amz-decoded-content-length`.
        signer: for signed chunks, else None.
        trailers: lower-case names that `x-amz-trailer` announced.
    """

    def __init__(
        self,
        *,
        decoded_bytes: int,
        signer: ChunkSigner | None = None,
        trailers: Iterable[str] = (),
    ) -> None:
        self._expected_bytes = decoded_bytes
        self._decoded_bytes = 0
        self._signer = signer
        self._announced = frozenset(trailers)
        self._state = _State.HEADER
        self._pending = b""
        self._left_bytes = 0
        self._signature = ""
        self._hash = hashlib.sha256()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes of the body and return the object's bytes among them.

        Raises:
            S3Error: `InvalidChunkSizeError`, `IncompleteBody`, `SignatureDoesNotMatch`,
                `MalformedTrailerError`.
        """
        try:
            return self._feed(data)
        except S3Error:
            self._state = _State.BROKEN
            raise

    def finish(self) -> dict[str, str]:
        """Say that the body ended; return the trailer's headers by lower-case name.

        Raises:
            S3Error: `IncompleteBody`, `SignatureDoesNotMatch`, `MalformedTrailerError`.
        """
        if self._state is not _State.TRAILER:
            raise S3Error("IncompleteBody", "The body ended within a chunk.")
        self._state = _State.BROKEN
        if self._decoded_bytes != self._expected_bytes:
            raise _wrong_length()
        trailers = self._parse_trailer()
        if self._announced != trailers.keys():
            raise S3Error("MalformedTrailerError", "The trailer is not the one announced.")
        return trailers

    def _feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        offset = 0
        while offset < len(data):
            if self._state is _State.DATA:
                piece = data[offset : offset + self._left_bytes]
                offset += len(piece)
                self._take(piece)
                found.append(piece)
            elif self._state is _State.TRAILER:
                self._pending += data[offset : offset + TRAILER_BYTES_MAX + 1]
                if len(self._pending) > TRAILER_BYTES_MAX:
                    raise S3Error("MalformedTrailerError", "The trailer is too long.")
                break
            elif self._state is _State.BROKEN:
                raise S3Error("IncompleteBody", "The body goes on after its end.")
            else:
                offset = self._line(data, offset)
        return found

    def _line(self, data: bytes, offset: int) -> int:
        """Gather a line that may be split over pieces; return where the next begins."""
        end = data.find(b"\n", offset, offset + HEADER_BYTES_MAX)
        stop = end + 1 if end >= 0 else min(len(data), offset + HEADER_BYTES_MAX)
        line = self._pending + data[offset:stop]
        if end < 0:
            if len(line) >= HEADER_BYTES_MAX:
                raise S3Error("InvalidChunkSizeError", "The header of a chunk is too long.")
            self._pending = line
            return stop
        self._pending = b""
        if not line.endswith(b"\r\n"):
            raise S3Error("InvalidChunkSizeError", "The header of a chunk is not well-formed.")
        if self._state is _State.DATA_END:
            if line != b"\r\n":
                raise S3Error("InvalidChunkSizeError", "A chunk is longer than its size says.")
            self._state = _State.HEADER
        else:
            self._begin_chunk(line[:-2])
        return stop

    def _begin_chunk(self, header: bytes) -> None:
        pattern = _UNSIGNED_HEADER if self._signer is None else _SIGNED_HEADER
        match = pattern.fullmatch(header)
        if match is None:
            raise S3Error("InvalidChunkSizeError", "The header of a chunk is not well-formed.")
        size_bytes = int(match.group(1), 16)
        if self._decoded_bytes + size_bytes > self._expected_bytes:
            raise _wrong_length()
        if self._signer is not None:
            self._signature = match.group(2).decode("ascii")
        if size_bytes:
            self._left_bytes = size_bytes
            self._state = _State.DATA
        else:
            self._check_chunk()
            self._state = _State.TRAILER

    def _take(self, piece: bytes) -> None:
        self._decoded_bytes += len(piece)
        self._left_bytes -= len(piece)
        if self._signer is not None:
            self._hash.update(piece)
        if not self._left_bytes:
            self._check_chunk()
            self._state = _State.DATA_END

    def _check_chunk(self) -> None:
        if self._signer is None:
            return
        expected = self._signer.chunk(self._hash.hexdigest())
        if not hmac.compare_digest(expected, self._signature):
            raise S3Error("SignatureDoesNotMatch", "The signature of a chunk does not match.")
        self._hash = hashlib.sha256()

    def _parse_trailer(self) -> dict[str, str]:
        trailers: dict[str, str] = {}
        # Blank lines are skipped and a bare LF ends a line too: clients in wide use write both.
        for line in self._pending.decode("latin-1").split("\n"):
            if not (text := line.removesuffix("\r")):
                continue
            match = _TRAILER.fullmatch(text)
            name = match.group(1).lower() if match else ""
            if match is None or name in trailers or len(trailers) >= TRAILERS_MAX:
                raise S3Error("MalformedTrailerError")
            trailers[name] = match.group(2)
        claimed = trailers.pop(_TRAILER_SIGNATURE, None)
        if self._signer is not None and self._announced:
            expected = self._signer.trailer(trailers.items())
            if claimed is None or not hmac.compare_digest(expected, claimed):
                raise S3Error("SignatureDoesNotMatch", "The trailer's signature does not match.")
        elif claimed is not None:
            raise S3Error("MalformedTrailerError")
        return trailers


def _wrong_length() -> S3Error:
    return S3Error(
        "IncompleteBody", "The body does not have the length of x-amz-decoded-content-length."
    )


class ChunkedEncoding(NamedTuple):
    """How a client frames a body: signed chunks or not, and the checksum in the trailer."""

    algorithm: Algorithm | None
    signed: bool

    @property
    def payload_hash(self) -> str:
        """The value of `x-amz-content-sha256` that announces it."""
        if not self.signed:
            return UNSIGNED_TRAILER
        return SIGNED if self.algorithm is None else SIGNED_TRAILER

    def encoded_bytes(self, decoded_bytes: int) -> int:
        """Return the Content-Length of the framed body."""
        extension_bytes = len(";chunk-signature=") + 64 if self.signed else 0
        full, rest = divmod(decoded_bytes, ENCODED_CHUNK_BYTES)
        total = full * _framed_bytes(ENCODED_CHUNK_BYTES, extension_bytes)
        if rest:
            total += _framed_bytes(rest, extension_bytes)
        total += len("0\r\n") + extension_bytes
        if self.algorithm is not None:
            value_bytes = (self.algorithm.digest_bytes + 2) // 3 * 4
            total += len(f"{self.algorithm.header}:\r\n") + value_bytes
            if self.signed:
                total += len(f"{_TRAILER_SIGNATURE}:\r\n") + 64
        return total + len("\r\n")

    def encode(self, blocks: Iterable[bytes], signer: ChunkSigner | None) -> Iterator[bytes]:
        """Frame a body.

        Args:
            blocks: the object's bytes; all blocks but the last are `ENCODED_CHUNK_BYTES` long.
            signer: goes on from the request's signature; None when chunks are not signed.
        """
        assert self.signed == (signer is not None)
        total = self.algorithm.new() if self.algorithm is not None else None
        for block in blocks:
            if block:
                if total is not None:
                    total.update(block)
                yield _chunk_header(block, signer)
                yield block
                yield b"\r\n"
        yield _chunk_header(b"", signer)
        if self.algorithm is not None and total is not None:
            value = encode(total.digest())
            line = f"{self.algorithm.header}:{value}\r\n"
            if signer is not None:
                proof = signer.trailer([(self.algorithm.header, value)])
                line += f"{_TRAILER_SIGNATURE}:{proof}\r\n"
            yield line.encode("ascii")
        yield b"\r\n"


def _framed_bytes(size_bytes: int, extension_bytes: int) -> int:
    return len(f"{size_bytes:x}\r\n\r\n") + extension_bytes + size_bytes


def _chunk_header(block: bytes, signer: ChunkSigner | None) -> bytes:
    extension = ""
    if signer is not None:
        extension = f";chunk-signature={signer.chunk(hashlib.sha256(block).hexdigest())}"
    return f"{len(block):x}{extension}\r\n".encode("ascii")
