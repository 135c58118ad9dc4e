"""Request bodies: their announced length and digests, framing taken off, every limit enforced."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.base.units import MIB
from ingot.s3 import checksums, chunked
from ingot.s3.claims import Claim
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import UNSIGNED_PAYLOAD, signing_key
from ingot.server.errors import ClientGoneError
from ingot.server.request import Request

# A client may pause this long within a body before its connection and our memory are freed.
STALL_TIMEOUT_S = 60.0
# Unread bodies up to this size are swallowed after an error, so that the client reads the answer
# instead of a reset connection; larger ones cost less to cut off.
DRAIN_BYTES_MAX = 16 * MIB
_DRAIN_TIMEOUT_S = 5.0
_MD5_BYTES = 16

_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_LENGTH_DIGITS_MAX = 19


class Expected(NamedTuple):
    """What a body must turn out to be; None where the client announced nothing.

    Attributes:
        size_bytes: the length without framing.
        md5: of Content-MD5, in hex.
        sha256: of `x-amz-content-sha256`, in lower-case hex.
        algorithm: the additional checksum, also when its value comes in the trailer.
        checksum: its value in base64; None until the trailer has been read.
    """

    size_bytes: int
    md5: str | None
    sha256: str | None
    algorithm: checksums.Algorithm | None
    checksum: str | None


class RequestBody:
    """The body of one request, on its way from the connection to wherever it is kept.

    Args:
        request: authenticated.
        size_bytes_max: the most that the operation accepts.
        checksum_is_of_body: False where `x-amz-checksum-…` speaks of something else.

    Raises:
        S3Error: `MissingContentLength`, `EntityTooLarge`, `InvalidDigest`, `InvalidRequest`,
            `InvalidArgument` for an `x-amz-content-sha256` of no known form.
    """

    def __init__(
        self, request: Request, *, size_bytes_max: int, checksum_is_of_body: bool = True
    ) -> None:
        headers = request.headers
        payload_hash = request.claim.payload_hash
        self._request = request
        self._wire_bytes = _length(headers.get("content-length"), "Content-Length")
        is_chunked = payload_hash in chunked.PAYLOAD_HASHES
        size_text = headers.get("x-amz-decoded-content-length" if is_chunked else "content-length")
        size_bytes = _length(size_text, "x-amz-decoded-content-length")
        if size_bytes > size_bytes_max:
            raise S3Error(
                "EntityTooLarge",
                ProposedSize=str(size_bytes),
                MaxSizeAllowed=str(size_bytes_max),
            )
        trailers = _announced_trailers(request) if is_chunked else ()
        algorithm, checksum = None, None
        if checksum_is_of_body:
            algorithm, checksum = _declared_checksum(request, trailers)
        self._decoder = _decoder(request, size_bytes, trailers) if is_chunked else None
        md5 = headers.get("content-md5")
        self.expected = Expected(
            size_bytes=size_bytes,
            md5=_md5(md5) if md5 is not None else None,
            sha256=None if is_chunked else _sha256(payload_hash),
            algorithm=algorithm,
            checksum=checksum,
        )

    async def pump(self, write: Callable[[bytes], Awaitable[None]]) -> Expected:
        """Hand the body's bytes to `write` piece by piece, and return what they must amount to.

        Nothing has been compared yet but the framing, the chunks' signatures and the length.

        Raises:
            S3Error: `IncompleteBody`, `RequestTimeout`, and the errors of chunked framing.
            ClientGoneError: the connection ended within the body.
        """
        request, decoder = self._request, self._decoder
        while request.received_bytes < self._wire_bytes:
            data = await _receive(request)
            if request.received_bytes > self._wire_bytes or (
                request.body_ended and request.received_bytes < self._wire_bytes
            ):
                raise S3Error("IncompleteBody")
            if decoder is None:
                await write(data)
            else:
                for piece in decoder.feed(data):
                    await write(piece)
        if decoder is None:
            return self.expected
        return self._with_trailer(decoder.finish())

    def _with_trailer(self, trailer: dict[str, str]) -> Expected:
        expected = self.expected
        if expected.algorithm is None or expected.checksum is not None:
            return expected
        value = trailer[expected.algorithm.header]
        checksums.decode(expected.algorithm.name, value)
        return expected._replace(checksum=value)


async def read_document(
    request: Request,
    *,
    size_bytes_max: int = XML_BODY_BYTES_MAX,
    checksum_is_of_body: bool = True,
) -> bytes:
    """Read a whole body into memory and verify every digest that came with it.

    Raises:
        S3Error: as `RequestBody`, and `MaxMessageLengthExceeded`, `BadDigest`,
            `XAmzContentSHA256Mismatch`.
    """
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return b""
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(piece)

    try:
        body = RequestBody(
            request, size_bytes_max=size_bytes_max, checksum_is_of_body=checksum_is_of_body
        )
    except S3Error as error:
        if error.code == "EntityTooLarge":
            raise S3Error(
                "MaxMessageLengthExceeded", MaxMessageLengthBytes=str(size_bytes_max)
            ) from error
        raise
    expected = await body.pump(keep)
    data = b"".join(pieces)
    _verify_document(data, expected)
    return data


def verify(
    expected: Expected, *, md5: str, sha256: str | None, checksum: Mapping[str, str]
) -> None:
    """Compare what arrived with what was announced.

    Args:
        expected: the announcement, its trailer included.
        md5: of the body, in hex.
        sha256: of the body, in hex; needed only where `expected.sha256` is given.
        checksum: of the body by algorithm name, in base64; likewise.

    Raises:
        S3Error: `BadDigest`, `XAmzContentSHA256Mismatch`.
    """
    if expected.md5 is not None and expected.md5 != md5:
        raise S3Error("BadDigest")
    if expected.sha256 is not None and expected.sha256 != sha256:
        raise S3Error("XAmzContentSHA256Mismatch")
    if expected.algorithm is not None:
        name = expected.algorithm.name
        if checksum[name] != expected.checksum:
            raise S3Error(
                "BadDigest", f"The {name} you specified did not match the calculated checksum."
            )


def _verify_document(data: bytes, expected: Expected) -> None:
    algorithm = expected.algorithm
    values: dict[str, str] = {}
    if algorithm is not None:
        checksum = algorithm.new()
        checksum.update(data)
        values[algorithm.name] = checksums.encode(checksum.digest())
    verify(
        expected,
        md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
        sha256=hashlib.sha256(data).hexdigest(),
        checksum=values,
    )


async def drain(request: Request) -> bool:
    """Swallow what is left of a small body, as long as the client does not wait for us.

    Returns:
        Whether nothing of the body is left. If not, no other request may follow on the connection:
        its first bytes could be taken for the body, which a client that waits never sends.
    """
    if request.body_ended:
        return True
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit()) or len(text) > _LENGTH_DIGITS_MAX:
        return not text and "transfer-encoding" not in request.headers
    left_bytes = int(text) - request.received_bytes
    if left_bytes == 0:
        return True
    waits = "expect" in request.headers and not request.received_bytes
    if waits or left_bytes > DRAIN_BYTES_MAX:
        return False
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            while request.received_bytes < int(text) and not request.body_ended:
                await _next_message(request)
    except (ClientGoneError, TimeoutError):
        return False
    return True


async def _receive(request: Request) -> bytes:
    if not request.received_bytes:
        # The first bytes come with the headers or right behind them: no timer for small bodies.
        return await _next_message(request)
    try:
        async with asyncio.timeout(STALL_TIMEOUT_S):
            return await _next_message(request)
    except TimeoutError as error:
        raise S3Error("RequestTimeout") from error


async def _next_message(request: Request) -> bytes:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    data: bytes = message.get("body", b"")
    request.received_bytes += len(data)
    request.body_ended = not message.get("more_body", False)
    return data


def _length(text: str | None, name: str) -> int:
    if text is None:
        raise S3Error("MissingContentLength")
    if not (text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS_MAX):
        raise S3Error("InvalidArgument", f"{name} is not a length.", ArgumentName=name)
    return int(text)


def _md5(text: str) -> str:
    try:
        digest = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise S3Error("InvalidDigest") from error
    if len(digest) != _MD5_BYTES:
        raise S3Error("InvalidDigest")
    return digest.hex()


def _sha256(payload_hash: str) -> str | None:
    if payload_hash == UNSIGNED_PAYLOAD:
        return None
    if not _SHA256.fullmatch(payload_hash):
        raise S3Error(
            "InvalidArgument",
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER,"
            " STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or"
            " a valid sha256 value.",
            ArgumentName="x-amz-content-sha256",
            ArgumentValue=payload_hash,
        )
    return payload_hash.lower()


def _announced_trailers(request: Request) -> tuple[str, ...]:
    text = request.headers.get("x-amz-trailer", "")
    return tuple(name.strip().lower() for name in text.split(",") if name.strip())


def _declared_checksum(
    request: Request, trailers: tuple[str, ...]
) -> tuple[checksums.Algorithm | None, str | None]:
    headers = request.headers
    unknown = [name for name in trailers if name not in checksums.BY_HEADER]
    if unknown or len(trailers) > 1:
        raise S3Error(
            "InvalidRequest", "The value specified in the x-amz-trailer header is not supported"
        )
    declared = checksums.declared(headers)
    if declared is not None:
        if trailers:
            raise S3Error("InvalidRequest", "Expecting a single x-amz-checksum- header")
        return declared
    if trailers:
        return checksums.BY_HEADER[trailers[0]], None
    if checksums.SDK_ALGORITHM_HEADER in headers:
        raise S3Error(
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or"
            " x-amz-trailer headers were found.",
        )
    return None, None


def _decoder(
    request: Request, size_bytes: int, trailers: tuple[str, ...]
) -> chunked.ChunkedDecoder:
    claim = request.claim
    signer = None
    if claim.payload_hash != chunked.UNSIGNED_TRAILER:
        assert isinstance(claim, Claim), "chunks are not signed with version 2"
        key = signing_key(request.identity.secret_key, claim.date, claim.region)
        signer = chunked.ChunkSigner(key, claim.timestamp, claim.scope, claim.signature)
    return chunked.ChunkedDecoder(decoded_bytes=size_bytes, signer=signer, trailers=trailers)
