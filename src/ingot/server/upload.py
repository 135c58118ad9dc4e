"""From the connection into the store: a body is taken in whole and verified, or not at all."""

from __future__ import annotations

from ingot.base.limits import INLINE_BYTES_MAX
from ingot.server.body import RequestBody, verify
from ingot.store.bodies import Bodies, Body

ALWAYS_BLOB = -1


async def store_body(
    bodies: Bodies,
    body: RequestBody,
    *,
    inline_max: int = INLINE_BYTES_MAX,
    checksum: str | None = None,
) -> Body:
    """Receive a body and return it, hashed, durable unless inline, and as it was announced.

    Args:
        bodies: where to keep it.
        body: not read yet.
        inline_max: as for `Bodies.writer`.
        checksum: an algorithm to compute even if the client announced none.

    Raises:
        S3Error: `BadDigest`, `XAmzContentSHA256Mismatch`, `IncompleteBody`, …; nothing is kept.
        ClientGoneError: the client left; nothing is kept.
    """
    expected = body.expected
    algorithm = expected.algorithm.name if expected.algorithm is not None else checksum
    writer = bodies.writer(
        size_hint=expected.size_bytes,
        checksums=() if algorithm is None else (algorithm,),
        sha256=expected.sha256 is not None,
        inline_max=inline_max,
    )
    try:
        announced = await body.pump(writer.write)
        stored = await writer.finish()
        verify(announced, md5=stored.md5, sha256=stored.sha256, checksum=stored.checksums)
    except BaseException:
        await writer.abort()
        raise
    return stored
