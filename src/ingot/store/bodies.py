"""Bodies: bytes on their way in (hashed, written) and out, off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from ingot.base.errors import Error
from ingot.base.limits import INLINE_BYTES_MAX, TRANSFER_CHUNK_BYTES
from ingot.base.units import KIB
from ingot.s3 import checksums
from ingot.store.blobs.contract import BlobRef, Blobs, BlobWriter, Draft
from ingot.store.digests import Digests
from ingot.store.errors import StoreFailedError
from ingot.store.lanes import Lane
from ingot.store.readbudget import ReadBudget
from ingot.store.reading import Reading

THREADS_MAX = 16
# Measured: joining pays up to about here; beyond it the fresh memory costs more than it saves.
_JOINED_BYTES_MAX = 256 * KIB
# What is hashed on the event loop, about 0.2 ms: a worker thread costs as much (measured).
_HASHED_IN_PLACE_BYTES_MAX = 64 * KIB

_ABORTED = StoreFailedError("the body is not wanted any more")

Result = TypeVar("Result")


class Body:
    """Bytes that arrived whole; small ones in memory, others in a blob.

    Attributes:
        size_bytes: how many bytes it has.
        md5: in hex.
        sha256: in hex, when it was asked for.
        checksums: algorithm name → base64, those that were asked for.
        inline: the bytes, when they are to be stored in the catalog.
        blob: where the bytes are, when they are not inline; `None` for an empty body.
        draft: what the commit of a record that names the blob must make durable before, if any.
    """

    __slots__ = ("_bodies", "blob", "checksums", "draft", "inline", "md5", "sha256", "size_bytes")

    def __init__(
        self,
        bodies: Bodies,
        digests: Digests,
        inline: bytes | None,
        blob: BlobRef | None,
        draft: Draft | None = None,
    ) -> None:
        self._bodies = bodies
        self.size_bytes = digests.size_bytes
        self.md5 = digests.md5.hexdigest()
        self.sha256 = None if digests.sha256 is None else digests.sha256.hexdigest()
        self.checksums = {
            name: checksums.encode(checksum.digest())
            for name, checksum in digests.checksums.items()
        }
        self.inline = inline
        self.blob = blob
        self.draft = draft

    def take(self) -> BlobRef | None:
        """Return the blob and leave it to the caller; `discard` has no effect any more."""
        blob, self.blob = self.blob, None
        return blob

    async def discard(self) -> None:
        """Remove the blob of a body that no record will name. Idempotent."""
        blob = self.take()
        if blob is not None:
            await self._bodies.delete([blob])


class BodyWriter:
    """Takes a body in chunks.

    Up to `inline_max` bytes stay in memory and are hashed on the spot. More go to a blob: worker
    threads hash and write while more is received, until two `TRANSFER_CHUNK_BYTES` are left to
    them; then `write` waits, so that a body holds that much memory, and the engine's buffer,
    whatever its size. MD5 takes longer than all the rest: while there are processors for it, it has
    a thread of its own.
    """

    def __init__(
        self, bodies: Bodies, digests: Digests, *, size_hint: int | None, inline_max: int
    ) -> None:
        self._bodies = bodies
        self._digests = digests
        self._size_hint = size_hint
        self._inline_max = inline_max
        self._chunks: list[bytes | memoryview] = []
        self._waiting_bytes = 0
        self._lanes: list[Lane] = []
        self._sealing: Future[None] | None = None
        self._update = digests.update
        self._blob: BlobWriter | None = None
        self._sealed: BlobRef | None = None
        self._body: Body | None = None
        self._aborting: asyncio.Task[None] | None = None

    async def write(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes; the caller leaves them unchanged.

        Raises:
            StoreFullError: the device is full.
        """
        self._chunks.append(chunk)
        self._waiting_bytes += len(chunk)
        if not self._lanes:
            if self._waiting_bytes < TRANSFER_CHUNK_BYTES:
                return
            self._begin()
            self._open_lanes()
        self._hand_on()
        for lane in self._lanes:
            if lane.failure is not None or lane.left_bytes > 2 * TRANSFER_CHUNK_BYTES:
                await lane.until(TRANSFER_CHUNK_BYTES)

    async def finish(self) -> Body:
        """Return the body; large ones are durable. Whoever has it must put or discard it.

        Raises:
            StoreFullError: the device is full.
        """
        assert self._body is None, "a body is finished once"
        if not self._lanes and self._waiting_bytes <= self._inline_max:
            content = b"".join(self._chunks)
            self._digests.update_briefly(content)
            self._body = Body(self._bodies, self._digests, content, None)
            return self._body
        if not self._lanes and 0 < self._waiting_bytes <= self._bodies.blobs.whole_bytes_max:
            self._body = await self._store_whole(b"".join(self._chunks))
            return self._body
        if self._lanes or self._waiting_bytes:
            if not self._lanes:
                self._begin()
            for lane in self._lanes:
                await lane.until(0)
            self._sealing = self._bodies.submit(self._seal, self._chunks)
            # Shielded: cancelling the wait must not cancel work that `abort` relies on.
            await asyncio.shield(asyncio.wrap_future(self._sealing))
            self._bodies.streams -= 1
        self._body = Body(self._bodies, self._digests, None, self._sealed)
        return self._body

    async def abort(self) -> None:
        """Drop everything, a finished body too. Idempotent; completes even if cancelled."""
        if self._body is not None:
            await self._body.discard()
        elif self._lanes or self._sealing is not None:
            if self._aborting is None:
                self._aborting = asyncio.ensure_future(self._abort())
            await asyncio.shield(self._aborting)

    async def _store_whole(self, content: bytes) -> Body:
        self._chunks.clear()
        if len(content) <= _HASHED_IN_PLACE_BYTES_MAX:
            self._digests.update(content)
        else:
            await self._bodies.run(self._digests.update, content)
        draft = self._bodies.blobs.draft(content)
        self._bodies.in_hand += 1
        return Body(self._bodies, self._digests, None, draft.ref, draft)

    def _begin(self) -> None:
        """Note that a blob is on its way."""
        self._bodies.in_hand += 1
        self._bodies.streams += 1

    def _open_lanes(self) -> None:
        if self._bodies.has_processors_for_streams:
            self._update = self._digests.update_all_but_md5
            self._lanes.append(Lane(self._bodies.submit, self._digests.md5.update))
        self._lanes.append(Lane(self._bodies.submit, self._write))

    def _hand_on(self) -> None:
        """Give what was received to the threads."""
        chunks, self._chunks, self._waiting_bytes = self._chunks, [], 0
        for chunk in chunks:
            for lane in self._lanes:
                lane.put(chunk)

    async def _abort(self) -> None:
        for lane in self._lanes:
            lane.stop(_ABORTED)
            with contextlib.suppress(Exception):
                await lane.until(0)
        if self._sealing is not None:
            await asyncio.gather(asyncio.wrap_future(self._sealing), return_exceptions=True)
        self._bodies.streams -= 1
        if self._sealed is not None:
            await self._bodies.delete([self._sealed])
            return
        if self._blob is not None:
            await self._bodies.run(self._blob.abort)
        self._bodies.in_hand -= 1

    def _write(self, chunk: bytes | memoryview) -> None:
        """Hash and write a chunk; in a worker thread."""
        if self._blob is None:
            self._blob = self._bodies.blobs.writer(self._size_hint)
        self._update(chunk)
        self._blob.append(chunk)

    def _seal(self, chunks: list[bytes | memoryview]) -> None:
        """Seal the blob, in a worker thread; without lanes the chunks are all of the body."""
        if self._blob is None and sum(map(len, chunks)) <= _JOINED_BYTES_MAX:
            # Hashing and writing a chunk give up the interpreter lock, and each time it must be
            # won back from the event loop and the other threads.
            chunks = [b"".join(chunks)]
        for chunk in chunks:
            self._write(chunk)
        assert self._blob is not None
        self._sealed = self._blob.seal()


class Handover:
    """A block that commits a record of blobs, and deletes them if it certainly failed."""

    __slots__ = ("_blobs", "_bodies")

    def __init__(self, bodies: Bodies, blobs: Sequence[BlobRef]) -> None:
        self._bodies = bodies
        self._blobs = blobs

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._bodies.in_hand -= len(self._blobs)
        # A commit that was cancelled or met an I/O error may stand: the sweeper finds out.
        elif self._blobs and not isinstance(error, asyncio.CancelledError | StoreFailedError):
            await self._bodies.delete(self._blobs)


class Bodies:
    """Owns the worker threads and the way of bytes between them and the event loop.

    Attributes:
        blobs: the engine.
        budget: what readers may hold.
        in_hand: how many blobs of this session may exist without a record; 0 when no sweep is
            needed after it.
        streams: how many bodies are coming in piece by piece.
    """

    def __init__(self, blobs: Blobs) -> None:
        self.blobs = blobs
        self.budget = ReadBudget()
        self.in_hand = 0
        self.streams = 0
        self._processors = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="ingot-bodies")

    @property
    def has_processors_for_streams(self) -> bool:
        """Whether each body that is coming in may keep two processors busy."""
        return 2 * self.streams <= self._processors

    def writer(
        self,
        *,
        size_hint: int | None = None,
        checksums: Sequence[str] = (),
        sha256: bool = False,
        inline_max: int = INLINE_BYTES_MAX,
    ) -> BodyWriter:
        """Begin a body.

        Args:
            size_hint: the size announced, if any.
            checksums: names of the algorithms to compute beside MD5.
            sha256: whether to compute the SHA-256 that signatures use.
            inline_max: up to how many bytes the body stays in memory; -1 for a body that must be
                a blob (a part of an upload).
        """
        digests = Digests(checksums, sha256=sha256)
        return BodyWriter(self, digests, size_hint=size_hint, inline_max=inline_max)

    async def clone(self, blobs: Sequence[BlobRef]) -> list[BlobRef]:
        """Return copies of blobs; they are to be handed over like a body's.

        Raises:
            BlobDamagedError: a blob is missing.
        """
        self.in_hand += len(blobs)
        try:
            return await self.run(self.blobs.clone, blobs)
        except Error:
            self.in_hand -= len(blobs)  # there are none
            raise

    async def delete(self, blobs: Sequence[BlobRef]) -> None:
        """Delete blobs in hand."""
        await self.run(self.blobs.delete, [blob.id for blob in blobs])
        self.in_hand -= len(blobs)

    def handed_over(self, *blobs: BlobRef | None) -> Handover:
        """Return the block in which blobs without a record get one, or are deleted."""
        return Handover(self, [blob for blob in blobs if blob is not None])

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Run blocking work in a worker thread."""
        return self._pool.submit(work, *arguments)

    async def run(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Run blocking work in a worker thread and wait; a cancelled wait leaves it running."""
        return await asyncio.shield(asyncio.wrap_future(self._pool.submit(work, *arguments)))

    async def read(
        self, extents: Sequence[tuple[BlobRef, int, int]], length: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of ranges (blob, start, length) in order, the next piece read ahead.

        How large the pieces are, and whether one is read ahead, is up to the budget.

        Args:
            extents: the ranges.
            length: how many bytes they have together.

        Raises:
            BlobDamagedError: what is stored is not what was sealed.
        """
        reading = Reading(self, extents, length)
        try:
            reading.begin_step()
            while True:
                piece = await reading.piece()
                if reading.left_bytes and self.budget.is_roomy:
                    reading.begin_step()
                yield piece
                del piece  # it has gone out, and the next one may be long in coming
                reading.settle_one()
                if not reading.left_bytes:
                    return
                if not reading.is_ahead:
                    reading.begin_step()
        finally:
            reading.close()

    def close(self) -> None:
        """Finish running work and end the threads. Blocking."""
        self._pool.shutdown(wait=True)
