"""Reads the objects of a listing from its text, where it is as plain as services write it.

A tree of seven elements for each object is most of what reading a listing costs. Whatever is not
exactly as expected here is left to that tree, which reads all of XML and knows what is wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, NamedTuple

from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.s3.dates import NS_PER_S, parse_iso8601
from ingot.s3.documents.common import Owner

_OPEN, _CLOSE = "<Contents>", "</Contents>"
# Text without references; control characters and non-characters are no XML.
_TEXT = r"[^<>&\x00-\x1f\ufffe\uffff]*"
_MINUTE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_QUOTE = r"(?:&quot;|&#34;|\")"
_OWNER = rf"(?:<Owner><ID>({_TEXT})</ID>(?:<DisplayName>({_TEXT})</DisplayName>)?</Owner>)?"
_OBJECT = re.compile(
    rf"{_OPEN}<Key>({_TEXT})</Key>"
    rf"<LastModified>({_MINUTE}):([0-5][0-9])(?:\.([0-9]{{3}}))?Z</LastModified>"
    rf"<ETag>{_QUOTE}([0-9A-Za-z-]*){_QUOTE}</ETag>"
    r"(?:<ChecksumAlgorithm>([0-9A-Z]+)</ChecksumAlgorithm>)?"
    r"(?:<ChecksumType>[A-Z_]+</ChecksumType>)?"
    r"<Size>([0-9]{1,18})</Size>"
    rf"{_OWNER}(?:<StorageClass>([0-9A-Z_-]+)</StorageClass>)?{_OWNER}{_CLOSE}"
)
_DECLARATION = re.compile(
    r"<\?xml version=\"1\.0\"(?: encoding=\"[Uu][Tt][Ff]-8\")?(?: standalone=\"yes\")?\s*\?>"
)
_MINUTES_CACHED = 4096


class PlainObjects(NamedTuple):
    """The objects of a page, by columns, and the document without them.

    Attributes:
        rest: has one empty object where all of them stood.
        keys: as the document encodes them.
        modified_ns: since the epoch.
        etags: without quotes.
        algorithms: of checksums, None where there is none.
        sizes_bytes: of the objects.
        owners: None where there is none.
        classes: of storage, None where the document does not tell.
    """

    rest: bytes
    keys: list[str]
    modified_ns: list[int]
    etags: list[str]
    algorithms: list[str | None]
    sizes_bytes: list[int]
    owners: list[Owner | None]
    classes: list[str | None]


def split(data: bytes) -> PlainObjects | None:
    """Take the objects out of a listing; None where that needs a reader of XML."""
    if len(data) > XML_BODY_BYTES_MAX:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    start, end = text.find(_OPEN), text.rfind(_CLOSE) + len(_CLOSE)
    if not 0 <= start < end or not _is_simple(text):
        return None
    # What stands between the objects, and their fields, in turns.
    cut: list[Any] = _OBJECT.split(text[start:end])
    step = _OBJECT.groups + 1
    if any(cut[::step]):
        return None
    columns: list[list[Any]] = [cut[group::step] for group in range(1, step)]
    keys, minutes, seconds, thousandths, etags, algorithms, sizes, *rest = columns
    before_ids, before_names, classes, after_ids, after_names = rest
    try:
        modified_ns = list(map(_instant_ns, minutes, seconds, thousandths))
    except ValueError:
        return None  # no such day
    owners = list(map(_owner, before_ids, before_names, after_ids, after_names))
    return PlainObjects(
        f"{text[:start]}{_OPEN}{_CLOSE}{text[end:]}".encode(),
        keys,
        modified_ns,
        etags,
        algorithms,
        list(map(int, sizes)),
        owners,
        classes,
    )


def _is_simple(text: str) -> bool:
    """Tell whether tags are what they seem: no comment, section, entity or other encoding."""
    if "<!" in text:
        return False
    instructions = text.count("<?")
    return not instructions or (instructions == 1 and _DECLARATION.match(text) is not None)


def _instant_ns(minute: str, seconds: str, thousandths: str | None) -> int:
    return _minute_ns(minute) + int(seconds) * NS_PER_S + int(thousandths or 0) * 1_000_000


# Objects that are listed beside each other were often written together.
@lru_cache(_MINUTES_CACHED)
def _minute_ns(text: str) -> int:
    return parse_iso8601(f"{text}:00Z")


def _owner(
    before_id: str | None, before: str | None, after_id: str | None, after: str | None
) -> Owner | None:
    if before_id is not None:
        return Owner(before_id, before or "")
    return None if after_id is None else Owner(after_id, after or "")
