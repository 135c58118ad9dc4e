"""Forms as browsers upload them (multipart/form-data), read piece by piece. Pure.

Fields are handed out whole, the content of the file as it comes: no more of it is held back than
may be the beginning of a delimiter. What follows the file is not looked at, as S3 has it.

Sources: RFC 7578, RFC 2046 §5.1, Amazon S3 API reference, "POST Object".
"""

from __future__ import annotations

import enum
import re
from typing import Final, NamedTuple

from ingot.base.units import KIB
from ingot.s3.errors import S3Error

# Of everything in front of the file's content.
FIELDS_BYTES_MAX: Final = 128 * KIB
FIELDS_MAX: Final = 256
FILE_FIELD: Final = "file"
_PADDING_BYTES_MAX: Final = 128

_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;(?:[^\"]*;)?\s*boundary="
    r"(?:\"([0-9A-Za-z'()+_,./:=? -]{1,70})\"|([0-9A-Za-z'()+_,./:=?-]{1,70}))\s*(?:;.*)?",
    re.IGNORECASE | re.ASCII,
)
_PARAMETER: Final = re.compile(r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))')
# Browsers write a quotation mark as %22 and a backslash as it is; others write both behind one.
_ESCAPED: Final = re.compile(r'\\(["\\])')
_LINE_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_LAST: Final = b"--"


class Field(NamedTuple):
    """A field in front of the file; its name is lower-case."""

    name: str
    value: str


class File(NamedTuple):
    """The file begins: its name as the sender calls it, without folders; empty if not given."""

    name: str


# Bytes are what comes next of the file's content.
Event = Field | File | bytes


class _State(enum.Enum):
    SEEKING = "in front of the first part"
    DELIMITED = "behind a delimiter"
    HEAD = "in the headers of a part"
    VALUE = "in the value of a field"
    CONTENT = "in the content of the file"
    CLOSING = "behind the delimiter that ends the file"
    DONE = "done"


def parse_boundary(content_type: str) -> bytes:
    """Return what separates the parts of a form.

    Raises:
        S3Error: `PreconditionFailed` when the body is no form, or its boundary is none.
    """
    match = _BOUNDARY.fullmatch(content_type.strip())
    boundary = (match[1] or match[2]).rstrip(" ") if match else ""
    if not boundary:
        raise S3Error(
            "PreconditionFailed",
            "Bucket POST must be of the enclosure-type multipart/form-data",
            Condition="Bucket POST must be of the enclosure-type multipart/form-data",
        )
    return boundary.encode("ascii")


class FormParser:
    """Reads one form.

    Args:
        boundary: from `parse_boundary`.
    """

    def __init__(self, boundary: bytes) -> None:
        self._delimiter = b"\r\n--" + boundary
        # So that the first delimiter is like the others, also where nothing is in front of it.
        self._buffer = bytearray(_LINE_END)
        self._taken_bytes = 0
        self._fields = 0
        self._name = ""
        self._state = _State.SEEKING
        # Each takes what it can of the buffer; `None` says that it needs more.
        self._steps = {
            _State.SEEKING: self._seek,
            _State.DELIMITED: self._read_delimiter,
            _State.HEAD: self._read_head,
            _State.VALUE: self._read_value,
            _State.CONTENT: self._read_content,
            _State.CLOSING: self._read_delimiter,
        }

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the form and return what they bring.

        Raises:
            S3Error: `MalformedPOSTRequest`, `MaxPostPreDataLengthExceededError`.
        """
        events: list[Event] = []
        if self._state is _State.CONTENT and not self._buffer:
            events = self._read_of(data)  # as it is: most of a large file needs no copy
        else:
            self._buffer += data
        while (step := self._steps.get(self._state)) and (found := step()) is not None:
            events += found
        if self._state is _State.DONE:
            self._buffer.clear()
        elif self._state not in {_State.CONTENT, _State.CLOSING}:
            self._check_size(len(self._buffer))
        return events

    def finish(self) -> None:
        """Make sure that the form was whole.

        Raises:
            S3Error: `MalformedPOSTRequest`.
        """
        if self._state is not _State.DONE:
            raise _malformed(f"it ends {self._state.value}")

    def _seek(self) -> list[Event] | None:
        return None if self._take_to(self._delimiter, _State.DELIMITED) is None else []

    def _read_delimiter(self) -> list[Event] | None:
        """Read what is behind a delimiter in its line; behind the last one is a mark."""
        rest = bytes(self._buffer[: _PADDING_BYTES_MAX + len(_LINE_END)])
        if len(rest) < len(_LAST):
            return None
        padding = rest.lstrip(b" \t")
        if rest.startswith(_LAST) or self._state is _State.CLOSING:
            if not rest.startswith(_LAST) and not padding.startswith(_LINE_END):
                self._await_line_end(padding)
                return None
            self._state = _State.DONE
            return []
        if not padding.startswith(_LINE_END):
            self._await_line_end(padding)
            return None
        # The end of this line stays: it begins the head, which may be empty.
        del self._buffer[: len(rest) - len(padding)]
        self._state = _State.HEAD
        return []

    def _await_line_end(self, padding: bytes) -> None:
        """Make sure that the end of a delimiter's line may still come."""
        if padding not in {b"", b"\r"} or len(self._buffer) > _PADDING_BYTES_MAX:
            raise _malformed("its boundary occurs within a part")

    def _read_head(self) -> list[Event] | None:
        head = self._take_to(_HEAD_END, _State.VALUE)
        if head is None:
            return None
        self._name, filename = _parse_head(head)
        if self._name == FILE_FIELD:
            self._state = _State.CONTENT
            return [File(filename)]
        self._fields += 1
        if self._fields > FIELDS_MAX:
            raise _malformed(f"it has more than {FIELDS_MAX} fields")
        return []

    def _read_value(self) -> list[Event] | None:
        value = self._take_to(self._delimiter, _State.DELIMITED)
        return None if value is None else [Field(self._name, _text(value))]

    def _read_content(self) -> list[Event] | None:
        if not self._buffer:
            return None
        data = bytes(self._buffer)
        self._buffer.clear()
        events = self._read_of(data)
        # What was held back again needs more to be anything.
        return None if not events and self._state is _State.CONTENT else events

    def _read_of(self, data: bytes) -> list[Event]:
        """Return the content in some bytes; what may be of a delimiter goes into the buffer."""
        at = data.find(self._delimiter)
        if at >= 0:
            self._buffer += data[at + len(self._delimiter) :]
            self._state = _State.CLOSING
            content = data[:at]
        else:
            held = _held(data, self._delimiter)
            self._buffer += data[len(data) - held :]
            content = data[: len(data) - held] if held else data
        return [content] if content else []

    def _take_to(self, mark: bytes, state: _State) -> bytes | None:
        """Take what is in front of a mark, and the mark; `None` while that has not come."""
        at = self._buffer.find(mark)
        if at < 0:
            return None
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        self._taken_bytes += at + len(mark)
        self._check_size(0)
        self._state = state
        return taken

    def _check_size(self, waiting_bytes: int) -> None:
        if self._taken_bytes + waiting_bytes > FIELDS_BYTES_MAX:
            raise S3Error("MaxPostPreDataLengthExceededError", MaxSizeAllowed=str(FIELDS_BYTES_MAX))


def _held(data: bytes, delimiter: bytes) -> int:
    """Return how many bytes at the end of data may be the beginning of a delimiter."""
    at = data.find(b"\r", max(0, len(data) - len(delimiter) + 1))
    while at >= 0:
        if delimiter.startswith(data[at:]):
            return len(data) - at
        at = data.find(b"\r", at + 1)
    return 0


def _parse_head(head: bytes) -> tuple[str, str]:
    """Return the name of a part, lower-case, and that of its file."""
    for line in head.split(_LINE_END):
        name, colon, value = line.partition(b":")
        if name.strip().lower() != b"content-disposition" or not colon:
            continue
        kind, _, rest = _text(value).strip().partition(";")
        if kind.strip().lower() != "form-data":
            break
        found = {
            match[1].lower(): _ESCAPED.sub(r"\1", match[2])
            if match[3] is None
            else match[3].strip()
            for match in _PARAMETER.finditer(f";{rest}")
        }
        if found.get("name"):
            filename = re.split(r"[/\\]", found.get("filename", ""))[-1]
            return found["name"].lower(), filename
        break
    raise _malformed("a part of it has no name")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed("a field of it is not UTF-8") from error


def _malformed(why: str) -> S3Error:
    return S3Error(
        "MalformedPOSTRequest",
        f"The body of your POST request is not well-formed multipart/form-data: {why}.",
    )
