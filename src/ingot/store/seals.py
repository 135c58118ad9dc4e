"""The seal of an object's record: it proves that key, record and attachment are as written.

What a commit writes for an object begins with a byte that no msgpack begins with, the CRC32C of
the attachment, and the seal: the CRC32C of key, attachment's sum and record. The bytes move as they
are when a version moves, so damage is never summed up anew. Records of before have no seal.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Sequence
from itertools import repeat
from operator import itemgetter
from typing import Final

import msgspec

from ingot.s3.crc import crc32c
from ingot.s3.headers import STANDARD
from ingot.store.errors import RecordDamagedError
from ingot.store.records import SUM_MARK, UNREADABLE, ListedRecord, ObjectRecord, encode

_MARK: Final = SUM_MARK[0]
# mark, CRC32C of the attachment, seal
_HEAD: Final = struct.Struct("<BII")
_SUM: Final = struct.Struct("<I")
_HEAD_BYTES: Final = _HEAD.size
_WRONG_ATTACHMENT: Final = "what is attached to its record has a wrong checksum"

# How records end that are of the standard class: listings need not read what is before it.
# Behind the class is the lock, if it has one.
_STANDARD: Final = (encode(STANDARD), encode(STANDARD) + encode(None))
_FIRST: Final = itemgetter(0)

_decode_object = msgspec.msgpack.Decoder(ObjectRecord).decode
_decode_listed = msgspec.msgpack.Decoder(ListedRecord).decode


def seal_object(key: str, record: ObjectRecord, attachment: bytes | None) -> bytes:
    """Return what the catalog keeps for an object.

    Args:
        key: the object's key.
        record: the record.
        attachment: what will be attached to it.
    """
    data = encode(record)
    attached = 0 if attachment is None else crc32c(attachment)
    return _HEAD.pack(_MARK, attached, _seal(key, attached, data)) + data


def open_object(key: str, value: bytes, attachment: bytes | None) -> ObjectRecord:
    """Return the record of an object whose attachment was read with it, both verified.

    Raises:
        RecordDamagedError: key, record and attachment are not what was written.
    """
    record, attached = _open(key, value)
    if attached is not None and attached != crc32c(attachment or b""):
        raise RecordDamagedError(key, _WRONG_ATTACHMENT)
    return record


def open_record(key: str, value: bytes) -> ObjectRecord:
    """Return the record of an object, verified without its attachment.

    Raises:
        RecordDamagedError: key and record are not what was written.
    """
    return _open(key, value)[0]


def attachment_of(key: str, value: bytes, attachment: bytes | None) -> bytes:
    """Return what is attached to a record, verified; nothing is the same as no bytes.

    Raises:
        RecordDamagedError: it is not what was written.
    """
    found = attachment or b""
    if value[0] == _MARK and _HEAD.unpack_from(value)[1] != crc32c(found):
        raise RecordDamagedError(key, _WRONG_ATTACHMENT)
    return found


def decode_object(value: bytes) -> ObjectRecord:
    """Read a record without verifying it: for what is shown, and for what decides nothing.

    Raises:
        RecordDamagedError: this is no record.
    """
    try:
        return _decode_object(value[_HEAD_BYTES:] if value[0] == _MARK else value)
    except UNREADABLE as error:
        raise _unreadable("", error) from error


def decode_listed(value: bytes, key: str = "") -> ListedRecord:
    """Read the leading fields of a record, as `decode_object` does; a damaged one is called `key`.

    Raises:
        RecordDamagedError: this is no record.
    """
    try:
        return _decode_listed(value[_HEAD_BYTES:] if value[0] == _MARK else value)
    except UNREADABLE as error:
        raise _unreadable(key, error) from error


def decode_page(names: Sequence[str], values: Sequence[bytes]) -> list[ListedRecord]:
    """Read the leading fields of the records of a page, as `decode_listed` does.

    Each is read by itself: a damaged one must not become one with the next.

    Raises:
        RecordDamagedError: one of these is no record.
    """
    with contextlib.suppress(*UNREADABLE):  # which one it is is told below
        if set(map(_FIRST, values)) == {_MARK}:
            return [_decode_listed(value[_HEAD_BYTES:]) for value in values]
    return [decode_listed(value, name) for name, value in zip(names, values, strict=True)]


def storage_classes_of(values: Sequence[bytes]) -> list[str]:
    """Return the storage classes of records, the last of their fields; unverified, as above."""
    if all(map(bytes.endswith, values, repeat(_STANDARD))):
        return [STANDARD] * len(values)
    return [
        STANDARD if value.endswith(_STANDARD) else decode_object(value).attributes.storage_class
        for value in values
    ]


def _open(key: str, value: bytes) -> tuple[ObjectRecord, int | None]:
    """Return a verified record and the sum of its attachment, `None` if it has no seal."""
    try:
        if value[0] != _MARK:
            return _decode_object(value), None
        _, attached, seal = _HEAD.unpack_from(value)
        data = value[_HEAD_BYTES:]
        if _seal(key, attached, data) != seal:
            raise RecordDamagedError(key, "its record has a wrong checksum")
        return _decode_object(data), attached
    except (*UNREADABLE, struct.error) as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> RecordDamagedError:
    return RecordDamagedError(key, f"its record cannot be read: {error}")


def _seal(key: str, attached: int, data: bytes) -> int:
    return crc32c(data, crc32c(_SUM.pack(attached) + key.encode()))
