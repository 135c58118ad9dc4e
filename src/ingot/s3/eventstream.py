"""The framing of S3's event streams, as the answer of SelectObjectContent: messages with headers.

Source: Amazon S3 API reference, "Appendix: SelectObjectContent Response".
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ingot.base.errors import IntegrityError
from ingot.base.units import MIB

MESSAGE_BYTES_MAX = 16 * MIB
_PRELUDE_BYTES = 12
_FRAME_BYTES = 16
_STRING_TYPE = 7
_NAME_BYTES_MAX = 255


class Message(NamedTuple):
    """One message; header names begin with a colon, as `:event-type`."""

    headers: Mapping[str, str]
    payload: bytes


def encode(message: Message) -> bytes:
    """Write a message."""
    headers = b"".join(
        _string(name.encode(), 1) + bytes([_STRING_TYPE]) + _string(value.encode(), 2)
        for name, value in message.headers.items()
    )
    total_bytes = _FRAME_BYTES + len(headers) + len(message.payload)
    prelude = struct.pack(">II", total_bytes, len(headers))
    framed = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + message.payload
    return framed + struct.pack(">I", zlib.crc32(framed))


class Decoder:
    """Reads messages from a stream that arrives in pieces."""

    def __init__(self) -> None:
        self._held = b""

    @property
    def is_between(self) -> bool:
        """Whether all that came belongs to whole messages."""
        return not self._held

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that are whole now.

        Raises:
            IntegrityError: a checksum is wrong, or this is no event stream.
        """
        self._held += data
        while len(self._held) >= _PRELUDE_BYTES:
            total_bytes, headers_bytes, checksum = struct.unpack_from(">III", self._held)
            if zlib.crc32(self._held[:8]) != checksum:
                raise IntegrityError("the event stream's framing has a wrong checksum")
            fits = _FRAME_BYTES + headers_bytes <= total_bytes <= MESSAGE_BYTES_MAX
            if not fits:
                raise IntegrityError("the event stream has a message of an impossible size")
            if len(self._held) < total_bytes:
                return
            framed, self._held = self._held[:total_bytes], self._held[total_bytes:]
            if zlib.crc32(framed[:-4]) != struct.unpack(">I", framed[-4:])[0]:
                raise IntegrityError("a message of the event stream has a wrong checksum")
            end = _PRELUDE_BYTES + headers_bytes
            yield Message(_headers(framed[_PRELUDE_BYTES:end]), framed[end:-4])


def _headers(data: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    position = 0
    try:
        while position < len(data):
            name, position = _taken(data, position, ">B")
            if data[position] != _STRING_TYPE:
                raise IntegrityError("the event stream has a header that is no text")
            value, position = _taken(data, position + 1, ">H")
            headers[name.decode()] = value.decode()
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise IntegrityError("the event stream has a malformed header") from error
    return headers


def _taken(data: bytes, position: int, size_format: str) -> tuple[bytes, int]:
    (size_bytes,) = struct.unpack_from(size_format, data, position)
    start = position + struct.calcsize(size_format)
    if start + size_bytes > len(data):
        raise IndexError
    return data[start : start + size_bytes], start + size_bytes


def _string(data: bytes, size_bytes: int) -> bytes:
    assert len(data) < 1 << 8 * size_bytes, data[:_NAME_BYTES_MAX]
    return len(data).to_bytes(size_bytes, "big") + data
