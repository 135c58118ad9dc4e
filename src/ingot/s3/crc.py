"""CRC32, CRC32C and CRC64NVME at memory speed, by awscrt.

Its library is loaded by the first call: that takes 28 ms (under emulation, 0.4 s), which a server
need not spend before it answers its first request.
"""

from __future__ import annotations

import functools
from typing import Any

Buffer = bytes | bytearray | memoryview


def crc32(data: Buffer, previous: int = 0) -> int:
    """Return the CRC32 of `data`, going on from that of the bytes before."""
    value: int = _library().crc32(data, previous)
    return value


def crc32c(data: Buffer, previous: int = 0) -> int:
    """Return the CRC32C of `data`, going on from that of the bytes before."""
    value: int = _library().crc32c(data, previous)
    return value


def crc64nvme(data: Buffer, previous: int = 0) -> int:
    """Return the CRC64NVME of `data`, going on from that of the bytes before."""
    value: int = _library().crc64nvme(data, previous)
    return value


def combine_crc32(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC32 of two stretches of bytes together."""
    value: int = _library().combine_crc32(first, second, second_size_bytes)
    return value


def combine_crc32c(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC32C of two stretches of bytes together."""
    value: int = _library().combine_crc32c(first, second, second_size_bytes)
    return value


def combine_crc64nvme(first: int, second: int, second_size_bytes: int) -> int:
    """Return the CRC64NVME of two stretches of bytes together."""
    value: int = _library().combine_crc64nvme(first, second, second_size_bytes)
    return value


@functools.cache
def _library() -> Any:
    from awscrt import checksums

    return checksums
