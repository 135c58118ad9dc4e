"""`aws-chunked` bodies: Amazon's examples, clients in the wild, and bodies that lie."""

from __future__ import annotations

import pytest

from ingot.base.secret import Secret
from ingot.s3.checksums import ALGORITHMS
from ingot.s3.chunked import (
    ENCODED_CHUNK_BYTES,
    HEADER_BYTES_MAX,
    SIGNED,
    SIGNED_TRAILER,
    TRAILER_BYTES_MAX,
    UNSIGNED_TRAILER,
    ChunkedDecoder,
    ChunkedEncoding,
    ChunkSigner,
)
from ingot.s3.errors import S3Error
from ingot.s3.sigv4 import signing_key

# Amazon S3 API reference, "Signature calculations for the Authorization header: transferring
# payload in multiple chunks" and "… including trailing headers".
KEY = signing_key(Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), "20130524", "us-east-1")
SCOPE = "20130524/us-east-1/s3/aws4_request"
SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SEED_TRAILER = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
BLOCKS = [b"a" * 65536, b"a" * 1024]
CRC32C = ALGORITHMS["CRC32C"]


def signer(seed: str = SEED) -> ChunkSigner:
    return ChunkSigner(KEY, "20130524T000000Z", SCOPE, seed)


def chunk(data: bytes, signature: str) -> bytes:
    return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), signature.encode(), data)


EXAMPLE = (
    chunk(BLOCKS[0], "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
    + chunk(BLOCKS[1], "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
    + chunk(b"", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
)
EXAMPLE_TRAILER = (
    chunk(BLOCKS[0], "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")
    + chunk(BLOCKS[1], "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")
    + b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    + b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    + b"x-amz-trailer-signature:"
    + b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)
CHECKSUM_TRAILER = {"x-amz-checksum-crc32c": "sOO8/Q=="}


def decode(body: bytes, decoder: ChunkedDecoder) -> tuple[bytes, dict[str, str]]:
    found = b"".join(decoder.feed(body))
    return found, decoder.finish()


def unsigned(decoded_bytes: int, *trailers: str) -> ChunkedDecoder:
    return ChunkedDecoder(decoded_bytes=decoded_bytes, trailers=trailers)


def test_reads_amazons_signed_example() -> None:
    decoder = ChunkedDecoder(decoded_bytes=66560, signer=signer())
    assert decode(EXAMPLE, decoder) == (b"a" * 66560, {})


def test_reads_amazons_signed_example_with_a_trailer() -> None:
    decoder = ChunkedDecoder(
        decoded_bytes=66560, signer=signer(SEED_TRAILER), trailers=CHECKSUM_TRAILER
    )
    assert decode(EXAMPLE_TRAILER, decoder) == (b"a" * 66560, CHECKSUM_TRAILER)


def test_writes_amazons_signed_example_with_a_trailer() -> None:
    encoding = ChunkedEncoding(CRC32C, signed=True)
    assert b"".join(encoding.encode(BLOCKS, signer(SEED_TRAILER))) == EXAMPLE_TRAILER


def test_reads_what_botocore_writes() -> None:
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    trailers = {"x-amz-checksum-crc32": "NhCmhg=="}
    assert decode(body, unsigned(5, *trailers)) == (b"hello", trailers)


@pytest.mark.parametrize("tail", [b"\n\r\n\r\n", b"\r\n\r\n", b"\r\n", b"\n", b""])
def test_reads_the_trailer_ends_of_clients_in_the_wild(tail: bytes) -> None:
    body = b"0\r\nX-Amz-Checksum-Crc32c: sOO8/Q==" + tail
    assert decode(body, unsigned(0, *CHECKSUM_TRAILER)) == (b"", CHECKSUM_TRAILER)


def test_reads_a_signed_trailer_whose_lines_end_in_lf() -> None:
    body = EXAMPLE_TRAILER.replace(b"sOO8/Q==\r\n", b"sOO8/Q==\n\r\n")
    decoder = ChunkedDecoder(
        decoded_bytes=66560, signer=signer(SEED_TRAILER), trailers=CHECKSUM_TRAILER
    )
    assert decode(body, decoder)[1] == CHECKSUM_TRAILER


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "IncompleteBody"),
        (b"5\r\nhel", "IncompleteBody"),
        (b"5\r\nhello\r\n", "IncompleteBody"),
        (b"4\r\nhell\r\n0\r\n\r\n", "IncompleteBody"),
        (b"6\r\nhello!\r\n0\r\n\r\n", "IncompleteBody"),
        (b"5\r\nhello!\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"5\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"5 \r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"-5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"+5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"0x5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"5;a=b\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"0" * 17 + b"5\r\nhello\r\n0\r\n\r\n", "InvalidChunkSizeError"),
        (b"5" * HEADER_BYTES_MAX, "InvalidChunkSizeError"),
        (b"ffffffffffffffff\r\n", "IncompleteBody"),
        (b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\na:b\r\na:c\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\nx-amz-trailer-signature:0\r\n\r\n", "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\n" + b"a" * (TRAILER_BYTES_MAX + 1), "MalformedTrailerError"),
        (b"5\r\nhello\r\n0\r\n" + b"a:b\r\n" * 9, "MalformedTrailerError"),
    ],
)
def test_refuses_bodies_that_lie(body: bytes, code: str) -> None:
    with pytest.raises(S3Error) as caught:
        decode(body, unsigned(5))
    assert caught.value.code == code


def test_refuses_a_trailer_that_was_announced_and_did_not_come() -> None:
    with pytest.raises(S3Error) as caught:
        decode(b"0\r\n\r\n", unsigned(0, "x-amz-checksum-crc32"))
    assert caught.value.code == "MalformedTrailerError"


@pytest.mark.parametrize("offset", [len(EXAMPLE) // 3, 70, 65700, len(EXAMPLE) - 10])
def test_refuses_changed_bytes_in_signed_bodies(offset: int) -> None:
    changed = bytearray(EXAMPLE)
    changed[offset] = ord("b") if changed[offset] != ord("b") else ord("c")
    with pytest.raises(S3Error) as caught:
        decode(bytes(changed), ChunkedDecoder(decoded_bytes=66560, signer=signer()))
    assert caught.value.code == "SignatureDoesNotMatch"


def test_refuses_chunks_in_another_order() -> None:
    small = [b"a" * 9, b"b" * 9]
    pieces = list(ChunkedEncoding(None, signed=True).encode(small, signer()))
    swapped = b"".join([*pieces[3:6], *pieces[:3], *pieces[6:]])
    with pytest.raises(S3Error) as caught:
        decode(swapped, ChunkedDecoder(decoded_bytes=18, signer=signer()))
    assert caught.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "body",
    [
        EXAMPLE_TRAILER.replace(b"sOO8", b"sOO9"),
        EXAMPLE_TRAILER.replace(b"d81f", b"d82f"),
        EXAMPLE_TRAILER[: EXAMPLE_TRAILER.index(b"x-amz-trailer")] + b"\r\n",
    ],
)
def test_refuses_a_changed_or_unsigned_trailer(body: bytes) -> None:
    decoder = ChunkedDecoder(
        decoded_bytes=66560, signer=signer(SEED_TRAILER), trailers=CHECKSUM_TRAILER
    )
    with pytest.raises(S3Error) as caught:
        decode(body, decoder)
    assert caught.value.code == "SignatureDoesNotMatch"


def test_stays_broken_after_an_error() -> None:
    decoder = unsigned(5)
    with pytest.raises(S3Error):
        decoder.feed(b"nonsense\r\n")
    for _ in range(2):
        with pytest.raises(S3Error):
            decoder.feed(b"5\r\nhello\r\n")
    with pytest.raises(S3Error):
        decoder.finish()


def test_a_chunk_leaves_before_it_is_complete() -> None:
    assert unsigned(100).feed(b"64\r\nfirst") == [b"first"]


@pytest.mark.parametrize("size_bytes", [0, 1, ENCODED_CHUNK_BYTES, ENCODED_CHUNK_BYTES * 2 + 5])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("name", [None, "CRC32C", "CRC64NVME", "SHA256"])
def test_the_length_is_known_beforehand(size_bytes: int, signed: bool, name: str | None) -> None:
    encoding = ChunkedEncoding(ALGORITHMS[name] if name else None, signed=signed)
    data = bytes(size_bytes)
    blocks = [
        data[start : start + ENCODED_CHUNK_BYTES]
        for start in range(0, size_bytes, ENCODED_CHUNK_BYTES)
    ]
    body = b"".join(encoding.encode(blocks, signer() if signed else None))
    assert encoding.encoded_bytes(size_bytes) == len(body)


def test_an_empty_block_does_not_end_the_body() -> None:
    body = b"".join(ChunkedEncoding(None, signed=False).encode([b"a", b"", b"b"], None))
    assert decode(body, unsigned(2)) == (b"ab", {})


def test_encodings_name_themselves() -> None:
    assert ChunkedEncoding(None, signed=True).payload_hash == SIGNED
    assert ChunkedEncoding(CRC32C, signed=True).payload_hash == SIGNED_TRAILER
    assert ChunkedEncoding(CRC32C, signed=False).payload_hash == UNSIGNED_TRAILER
