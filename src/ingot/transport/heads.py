"""The heads of HTTP/1.1 requests and answers, as bytes and as values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ingot.base.errors import UsageError

# All at once: a line at a time takes twice as long.
_HEADERS = re.compile(r"(?:\A|\r\n)([^\s:]+):[ \t]*([^\r\n]*)")


class ProtocolError(Exception):
    """The peer does not speak HTTP, or broke off in the middle of it."""


def render_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the bytes of a request before its body.

    Raises:
        UsageError: something in it would end a line, or is not Latin-1.
    """
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    try:
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as error:
        raise UsageError(
            f"a header is not Latin-1: {error.object[error.start :][:20]!r}"
        ) from error
    breaks = len(lines) + 1
    if data.count(b"\n") != breaks or data.count(b"\r") != breaks or b"\0" in data:
        raise UsageError("a header has a line break or a NUL in it")
    return data


def parse_head(head: bytes) -> tuple[int, dict[str, str], bool]:
    """Return an answer's status, its headers by lower-case name, and whether more may follow it.

    Raises:
        ProtocolError: this is no HTTP/1 answer.
    """
    first, _, rest = head.decode("latin-1").partition("\r\n")
    version, code = first[:9], first[9:12]
    if version not in {"HTTP/1.1 ", "HTTP/1.0 "} or not (code.isascii() and code.isdecimal()):
        raise ProtocolError("the answer is no HTTP/1")
    found = _HEADERS.findall(rest)
    breaks = len(found) - 1 if rest else 0
    if not breaks == rest.count("\r\n") == rest.count("\n") == rest.count("\r"):
        raise ProtocolError("the answer has a malformed header")
    headers = {name.lower(): value.rstrip(" \t") for name, value in found}
    if len(headers) != len(found):
        headers = _joined(found)
    kept = headers.get("connection", "").lower()
    is_kept = "keep-alive" in kept if version == "HTTP/1.0 " else "close" not in kept
    return int(code), headers, is_kept


def _joined(found: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Join the values of headers that came more than once, which few do."""
    headers: dict[str, str] = {}
    for name, value in ((name.lower(), value.rstrip(" \t")) for name, value in found):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
