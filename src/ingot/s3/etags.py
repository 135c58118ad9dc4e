"""Entity tags: quoting, MD5 tags, and the tag of an object that came in parts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


def quote_etag(etag: str) -> str:
    """Write an ETag as headers and documents carry it."""
    return f'"{etag}"'


def unquote_etag(text: str) -> str:
    """Read an ETag; clients send it with quotes, without, and marked weak."""
    stripped = text.strip().removeprefix("W/")
    if len(stripped) >= 2 and stripped[0] == stripped[-1] == '"':
        return stripped[1:-1]
    return stripped


def is_md5(etag: str) -> bool:
    """Tell whether an ETag is the MD5 of the object's bytes, as that of a plain PUT is."""
    return _MD5.fullmatch(etag) is not None


def multipart_etag(part_md5s: Iterable[bytes]) -> str:
    """Return the ETag of a completed upload: the MD5 of the parts' MD5s, and their count."""
    digests = list(part_md5s)
    joined = hashlib.md5(b"".join(digests), usedforsecurity=False).hexdigest()
    return f"{joined}-{len(digests)}"
