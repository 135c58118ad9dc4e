"""The heads of HTTP/1.1 requests and answers, as bytes and as values."""

from __future__ import annotations

from collections.abc import Mapping

from ingot.base.errors import UsageError


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
    lines = head.decode("latin-1").split("\r\n")
    version, code = lines[0][:9], lines[0][9:12]
    if version not in {"HTTP/1.1 ", "HTTP/1.0 "} or not (code.isascii() and code.isdecimal()):
        raise ProtocolError("the answer is no HTTP/1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name.strip() != name:
            raise ProtocolError("the answer has a malformed header")
        name = name.lower()
        value = value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    kept = headers.get("connection", "").lower()
    is_kept = "keep-alive" in kept if version == "HTTP/1.0 " else "close" not in kept
    return int(code), headers, is_kept
