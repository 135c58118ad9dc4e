"""However the network cuts a chunked body, the decoder finds the same bytes or the same failure."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingot.s3.checksums import ALGORITHMS, encode
from ingot.s3.chunked import ChunkedDecoder, ChunkedEncoding, ChunkSigner
from ingot.s3.errors import S3Error

CRC32C = ALGORITHMS["CRC32C"]


def signer() -> ChunkSigner:
    return ChunkSigner(b"key", "20261124T020500Z", "20261124/r/s3/aws4_request", "0" * 64)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(at % (len(body) + 1) for at in cuts), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def outcome(decoder: ChunkedDecoder, pieces: list[bytes]) -> tuple[bytes, object]:
    found = b""
    try:
        for piece in pieces:
            found += b"".join(decoder.feed(piece))
        return found, decoder.finish()
    except S3Error as error:
        return b"", error.code


@given(
    blocks=st.lists(st.binary(min_size=1, max_size=300), max_size=6),
    cuts=st.lists(st.integers(0, 5000), max_size=30),
    signed=st.booleans(),
)
def test_any_cut_of_a_good_body_gives_its_bytes(
    blocks: list[bytes], cuts: list[int], *, signed: bool
) -> None:
    data = b"".join(blocks)
    body = b"".join(
        ChunkedEncoding(CRC32C, signed=signed).encode(blocks, signer() if signed else None)
    )
    total = CRC32C.new()
    total.update(data)
    decoder = ChunkedDecoder(
        decoded_bytes=len(data), signer=signer() if signed else None, trailers=[CRC32C.header]
    )
    expected = (data, {CRC32C.header: encode(total.digest())})
    assert outcome(decoder, cut(body, cuts)) == expected


@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.text("0123456789abcdef;=\r\nx-:", max_size=200).map(str.encode),
        st.lists(
            st.sampled_from(
                [b"5\r\nhello\r\n", b"0\r\n", b"\r\n", b"\n", b"a:b\r\n", b"5\r\n", b"hello", b"0"]
            ),
            max_size=8,
        ).map(b"".join),
    ),
    cuts=st.lists(st.integers(0, 300), max_size=20),
)
def test_any_cut_of_any_body_has_the_same_outcome(body: bytes, cuts: list[int]) -> None:
    def decoder() -> ChunkedDecoder:
        return ChunkedDecoder(decoded_bytes=5)

    whole = outcome(decoder(), [body])
    pieces = outcome(decoder(), cut(body, cuts))
    single = outcome(decoder(), [body[i : i + 1] for i in range(len(body))])
    # Which of two faults is met first may depend on the cut; whether there is one may not.
    refused = [isinstance(result[1], str) for result in (whole, pieces, single)]
    assert len(set(refused)) == 1
    if not refused[0]:
        assert whole == pieces == single


@given(
    blocks=st.lists(st.binary(min_size=1, max_size=64), min_size=1, max_size=3),
    at=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_no_flipped_bit_of_a_signed_body_passes_for_other_bytes(
    blocks: list[bytes], at: int, bit: int
) -> None:
    data = b"".join(blocks)
    body = bytearray(b"".join(ChunkedEncoding(CRC32C, signed=True).encode(blocks, signer())))
    body[at % len(body)] ^= 1 << bit
    decoder = ChunkedDecoder(decoded_bytes=len(data), signer=signer(), trailers=[CRC32C.header])
    found, verdict = outcome(decoder, [bytes(body)])
    assert isinstance(verdict, str) or found == data
