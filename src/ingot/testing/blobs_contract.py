"""The conformance suite of `Blobs`: subclass it and give it the fixtures below.

`open_blobs` opens a new session on the same device each time it is called; `damage` changes one
stored byte of a blob, given its id and the byte's offset in what the engine stores.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from ingot.store.blobs.contract import FRAME_BYTES, READ_BYTES_MAX, BlobRef, Blobs
from ingot.store.errors import BlobDamagedError

OpenBlobs = Callable[[], Blobs]
Damage = Callable[[str, int], None]
Seal = Callable[[Blobs, bytes], BlobRef]

SIZES = [
    *(0, 1, 4096, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES + 17),
    READ_BYTES_MAX + 1,
]


def write_blob(blobs: Blobs, content: bytes, *, step_bytes: int = 300_001) -> BlobRef:
    """Seal a blob, appending it in steps."""
    writer = blobs.writer(len(content))
    for offset in range(0, len(content), step_bytes):
        writer.append(content[offset : offset + step_bytes])
    return writer.seal()


def store_whole(blobs: Blobs, *contents: bytes) -> list[BlobRef]:
    """Seal blobs as bodies that came at the same time."""
    drafts = [blobs.draft(content) for content in contents]
    for failure in blobs.seal(drafts):
        if failure is not None:
            raise failure
    return [draft.ref for draft in drafts]


def random_bytes(size_bytes: int, seed: int = 1) -> bytes:
    """Return bytes that differ everywhere, the same for the same seed."""
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311 # test data, no secret


class BlobsContract:
    """What every engine of blobs must do."""

    @pytest.fixture(params=["in pieces", "whole"])
    def seal(self, request: pytest.FixtureRequest) -> Seal:
        """Return a way to seal a blob, a whole one if it is not too large for that."""

        def seal(blobs: Blobs, content: bytes) -> BlobRef:
            if request.param == "whole" and 0 < len(content) <= blobs.whole_bytes_max:
                return store_whole(blobs, content)[0]
            return write_blob(blobs, content)

        return seal

    @pytest.mark.parametrize("size_bytes", SIZES)
    def test_what_was_sealed_is_read(
        self, open_blobs: OpenBlobs, seal: Seal, size_bytes: int
    ) -> None:
        blobs = open_blobs()
        content = random_bytes(size_bytes)
        ref = seal(blobs, content)
        assert ref.size_bytes == size_bytes
        assert len(ref.id) <= 64
        pieces = list(blobs.read(ref))
        assert b"".join(pieces) == content
        assert all(0 < len(piece) <= READ_BYTES_MAX for piece in pieces)
        blobs.close()

    def test_how_it_was_appended_does_not_matter(self, open_blobs: OpenBlobs) -> None:
        blobs = open_blobs()
        content = random_bytes(2 * FRAME_BYTES + 99)
        refs = [write_blob(blobs, content, step_bytes=step) for step in (999, FRAME_BYTES, 1 << 30)]
        assert len({ref.seal for ref in refs}) == 1
        assert len({ref.id for ref in refs}) == 3
        blobs.close()

    @pytest.mark.parametrize(
        ("start", "length"),
        [
            (0, 0),
            (0, 1),
            (5, FRAME_BYTES),
            (FRAME_BYTES - 1, 2),
            (FRAME_BYTES, FRAME_BYTES),
            (2 * FRAME_BYTES + 10, 10**9),
            (3 * FRAME_BYTES, 10),
            (17, None),
        ],
    )
    def test_ranges_are_cut_exactly(
        self, open_blobs: OpenBlobs, seal: Seal, start: int, length: int | None
    ) -> None:
        blobs = open_blobs()
        content = random_bytes(3 * FRAME_BYTES)
        ref = seal(blobs, content)
        stop = len(content) if length is None else start + length
        assert b"".join(blobs.read(ref, start, length)) == content[start:stop]
        blobs.close()

    @pytest.mark.parametrize("limit", [1000, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES])
    def test_pieces_are_as_large_as_the_reader_allows(
        self, open_blobs: OpenBlobs, seal: Seal, limit: int
    ) -> None:
        blobs = open_blobs()
        content = random_bytes(4 * FRAME_BYTES + 99)
        ref = seal(blobs, content)
        limits = itertools.cycle([limit, limit // 2, limit])
        asked: list[int] = []

        def allowed() -> int:
            asked.append(next(limits))
            return asked[-1]

        pieces = list(blobs.read(ref, 5, piece_bytes=allowed))
        assert b"".join(pieces) == content[5:]
        assert len(pieces) == len(asked)
        assert all(0 < len(piece) <= most for piece, most in zip(pieces, asked, strict=True))
        blobs.close()

    def test_another_session_reads_it(self, open_blobs: OpenBlobs, seal: Seal) -> None:
        first = open_blobs()
        ref = seal(first, b"content")
        first.close()
        second = open_blobs()
        assert b"".join(second.read(ref)) == b"content"
        second.close()

    def test_an_aborted_blob_leaves_nothing(self, open_blobs: OpenBlobs) -> None:
        blobs = open_blobs()
        writer = blobs.writer()
        writer.append(b"x" * 100)
        writer.abort()
        writer.abort()
        blobs.close()
        other = open_blobs()
        assert other.sweep(other.ended_sessions(), lambda: iter(())) == 0
        other.close()

    def test_abort_after_seal_has_no_effect(self, open_blobs: OpenBlobs) -> None:
        blobs = open_blobs()
        writer = blobs.writer()
        writer.append(b"kept")
        ref = writer.seal()
        writer.abort()
        assert b"".join(blobs.read(ref)) == b"kept"
        blobs.close()

    def test_deleting_is_idempotent(self, open_blobs: OpenBlobs, seal: Seal) -> None:
        blobs = open_blobs()
        ref, kept = seal(blobs, b"content"), seal(blobs, b"kept")
        blobs.delete([ref.id])
        blobs.delete([ref.id])
        with pytest.raises(BlobDamagedError, match="missing"):
            list(blobs.read(ref))
        assert b"".join(blobs.read(kept)) == b"kept"
        blobs.close()

    def test_a_reader_that_began_is_not_disturbed_by_delete(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        blobs = open_blobs()
        content = random_bytes(3 * FRAME_BYTES)
        ref = seal(blobs, content)
        pieces = blobs.read(ref)
        first = next(pieces)
        blobs.delete([ref.id])
        assert first + b"".join(pieces) == content
        blobs.close()

    def test_clones_live_on_their_own(self, open_blobs: OpenBlobs, seal: Seal) -> None:
        blobs = open_blobs()
        contents = [random_bytes(FRAME_BYTES + 5, seed) for seed in (1, 2)]
        refs = [seal(blobs, content) for content in contents]
        clones = blobs.clone(refs)
        assert not {ref.id for ref in refs} & {clone.id for clone in clones}
        blobs.delete([ref.id for ref in refs])
        assert [b"".join(blobs.read(clone)) for clone in clones] == contents
        blobs.close()

    def test_cloning_a_missing_blob_leaves_no_clones(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        blobs = open_blobs()
        ref, gone = seal(blobs, b"content"), seal(blobs, b"gone")
        blobs.delete([gone.id])
        with pytest.raises(BlobDamagedError, match="missing"):
            blobs.clone([ref, gone])
        blobs.delete([ref.id])
        blobs.close()
        other = open_blobs()
        assert other.sweep(other.ended_sessions(), lambda: iter(())) == 0
        other.close()

    @pytest.mark.parametrize(
        "offset", [0, FRAME_BYTES - 1, FRAME_BYTES, 2 * FRAME_BYTES + 9, 2 * FRAME_BYTES + 10]
    )
    def test_no_byte_of_a_damaged_frame_leaves(
        self, open_blobs: OpenBlobs, seal: Seal, damage: Damage, offset: int
    ) -> None:
        blobs = open_blobs()
        content = random_bytes(2 * FRAME_BYTES + 10)
        ref = seal(blobs, content)
        damage(ref.id, offset)
        pieces: list[bytes] = []
        with pytest.raises(BlobDamagedError) as raised:
            pieces.extend(
                blobs.read(ref, piece_bytes=lambda: FRAME_BYTES)
            )  # keeps what came before the error
        assert raised.value.blob_id == ref.id
        # Frames before the damaged one may leave; behind the content comes the footer.
        frame = offset // FRAME_BYTES if offset < len(content) else 0
        assert content[: frame * FRAME_BYTES].startswith(b"".join(pieces))
        blobs.close()

    def test_another_blob_is_not_taken_for_the_sealed_one(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        blobs = open_blobs()
        ref, other = seal(blobs, b"content 1"), seal(blobs, b"content 2")
        misdirected = BlobRef(other.id, ref.size_bytes, ref.seal)
        with pytest.raises(BlobDamagedError):
            list(blobs.read(misdirected))
        blobs.close()

    def test_a_living_session_is_not_ended(self, open_blobs: OpenBlobs, seal: Seal) -> None:
        living, other = open_blobs(), open_blobs()
        seal(living, b"about to be committed")
        assert other.ended_sessions() == []
        living.close()
        assert len(other.ended_sessions()) == 1
        other.close()

    def test_an_ended_session_is_claimed_once_and_settled(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        ended = open_blobs()
        ref = seal(ended, b"sealed")
        ended.writer().append(b"never sealed")
        ended.close()
        first, second = open_blobs(), open_blobs()
        (session,) = first.ended_sessions()
        with first.claim(session) as granted, second.claim(session) as refused:
            assert (granted, refused) == (True, False)
            assert first.sweep([session], lambda: iter([ref.id])) == 1
            assert first.sweep([session], lambda: iter([ref.id])) == 0
            first.settle(session)
        assert first.ended_sessions() == []
        with second.claim(session) as gone:
            assert not gone
        assert b"".join(second.read(ref)) == b"sealed"
        first.close()
        second.close()

    def test_a_settled_session_leaves_nothing_to_sweep(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        blobs = open_blobs()
        ref = seal(blobs, b"content")
        blobs.close(settled=True)
        blobs.close(settled=True)
        other = open_blobs()
        assert other.ended_sessions() == []
        assert b"".join(other.read(ref)) == b"content"
        other.close()

    def test_whole_bodies_are_sealed_together(self, open_blobs: OpenBlobs) -> None:
        blobs = open_blobs()
        if not blobs.whole_bytes_max:
            blobs.close()
            return
        sizes = [1, 100, FRAME_BYTES, FRAME_BYTES + 1, 1, blobs.whole_bytes_max, 7]
        contents = [random_bytes(min(size, blobs.whole_bytes_max), size) for size in sizes]
        for _ in range(3):
            refs = store_whole(blobs, *contents)
            assert len({ref.id for ref in refs}) == len(refs)
            assert [b"".join(blobs.read(ref)) for ref in refs] == contents
            blobs.delete([ref.id for ref in refs[::2]])
            assert [b"".join(blobs.read(ref)) for ref in refs[1::2]] == contents[1::2]
            blobs.delete([ref.id for ref in refs])
        blobs.close()

    def test_a_sweep_takes_everything_that_is_not_named(
        self, open_blobs: OpenBlobs, seal: Seal
    ) -> None:
        ended, other = open_blobs(), open_blobs()
        contents = [random_bytes(size, size) for size in (10, 5000, FRAME_BYTES, 70_000, 3)]
        refs = [seal(ended, content) for content in contents]
        elsewhere = seal(other, b"of a living session")
        ended.close()
        named = [refs[1].id, refs[3].id]
        (session,) = other.ended_sessions()
        with other.claim(session):
            assert other.sweep([session], lambda: iter([*named, elsewhere.id])) == 3
        for index in (0, 2, 4):
            with pytest.raises(BlobDamagedError, match="missing"):
                list(other.read(refs[index]))
        assert [b"".join(other.read(refs[index])) for index in (1, 3)] == [
            contents[1],
            contents[3],
        ]
        assert b"".join(other.read(elsewhere)) == b"of a living session"
        other.close()
