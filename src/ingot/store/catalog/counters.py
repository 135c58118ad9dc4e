"""The numbers that commits add to: how a catalog keeps them under a key. Pure."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from ingot.s3.crc import crc32c
from ingot.store.catalog.contract import Add, CeilingError
from ingot.store.errors import RecordDamagedError

_SUM_BYTES: Final = 4
_NUMBER_BYTES: Final = 8


def encode_numbers(numbers: Sequence[int]) -> bytes:
    """Write numbers: their CRC32C, then eight bytes each, signed; all little-endian."""
    data = struct.pack(f"<{len(numbers)}q", *numbers)
    return crc32c(data).to_bytes(_SUM_BYTES, "little") + data


def decode_numbers(value: bytes | None, count: int) -> tuple[int, ...]:
    """Read `count` numbers; a key that is not there holds zeros.

    Raises:
        RecordDamagedError: the value holds no such numbers.
    """
    if value is None:
        return (0,) * count
    total, data = value[:_SUM_BYTES], value[_SUM_BYTES:]
    if len(data) != count * _NUMBER_BYTES or crc32c(data).to_bytes(_SUM_BYTES, "little") != total:
        raise RecordDamagedError("", "what is counted has a wrong checksum")
    return struct.unpack(f"<{count}q", data)


def added(value: bytes | None, add: Add) -> bytes:
    """Return what a key holds after adding to what it held.

    Raises:
        CeilingError: the first number would pass the ceiling.
        RecordDamagedError: the value holds no such numbers.
    """
    before = decode_numbers(value, len(add.amounts))
    after = [old + amount for old, amount in zip(before, add.amounts, strict=True)]
    if add.ceiling is not None and add.amounts[0] > 0 and after[0] > add.ceiling:
        raise CeilingError(f"{before[0]} and {add.amounts[0]} are more than {add.ceiling}")
    return encode_numbers(after)
