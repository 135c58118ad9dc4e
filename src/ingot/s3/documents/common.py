"""Pieces that several documents share: owners, checksums, numbers, instants, encoded names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from ingot.s3 import xml
from ingot.s3.checksums import ALGORITHMS, COMPOSITE, FULL_OBJECT, ChecksumType, ChecksumValue
from ingot.s3.dates import parse_iso8601
from ingot.s3.errors import S3Error

URL_ENCODING = "url"
RULE_ID_LENGTH_MAX = 255

# What percent-encoding leaves as it is; most keys are such, and a page has a thousand.
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]*")
_PLAIN_BYTES = bytes(byte for byte in range(128) if _PLAIN.fullmatch(chr(byte)))
# Stands between names that are encoded together; those that hold it are encoded one by one.
_BETWEEN = "\n"
_UNSAFE = re.compile(rf"[^A-Za-z0-9._~/\-{_BETWEEN}]")


class Owner(NamedTuple):
    """Who owns a bucket or object."""

    id: str
    display_name: str


def render_owner(owner: Owner | None, name: str = "Owner") -> str:
    """Write an owner, or nothing."""
    if owner is None:
        return ""
    return xml.node(name, xml.leaf("ID", owner.id), xml.leaf("DisplayName", owner.display_name))


def parse_owner(parent: xml.Element, name: str = "Owner") -> Owner | None:
    """Read an owner, if there is one."""
    element = parent.find(name)
    return None if element is None else Owner(element.get("ID"), element.get("DisplayName"))


def render_checksum(checksum: ChecksumValue | None) -> str:
    """Write a checksum's value and type, or nothing."""
    if checksum is None:
        return ""
    return xml.leaf(f"Checksum{checksum.algorithm}", checksum.value) + xml.leaf(
        "ChecksumType", checksum.type
    )


def parse_checksum(parent: xml.Element) -> ChecksumValue | None:
    """Read the checksum of a part or object, if there is one."""
    for name in ALGORITHMS:
        value = parent.optional(f"Checksum{name}")
        if value is not None:
            return ChecksumValue(name, value, parse_checksum_type(parent.optional("ChecksumType")))
    return None


def parse_checksum_type(text: str | None) -> ChecksumType | None:
    """Read how an object in parts was summed up."""
    for kind in (COMPOSITE, FULL_OBJECT):
        if text == kind:
            return kind
    return None


def encode_name(text: str | None, encoding_type: str | None) -> str | None:
    """Write a key, prefix or marker as the client asked; spaces as `%20`, which all decoders know.

    Raises:
        S3Error: `InvalidArgument` for an encoding that S3 does not have.
    """
    if encoding_type is None or text is None:
        return text
    if encoding_type != URL_ENCODING:
        raise S3Error(
            "InvalidArgument",
            "Invalid Encoding Method specified in Request",
            ArgumentName="encoding-type",
            ArgumentValue=encoding_type,
        )
    return text if _PLAIN.fullmatch(text) else quote(text, safe="/")


def encode_names(names: Sequence[str], encoding_type: str | None) -> Sequence[str]:
    """Write the names of a page for the content of elements, as the client asked.

    Raises:
        S3Error: `InvalidArgument` for an encoding that S3 does not have.
    """
    # Most pages have no name that needs anything, which one look at all of them tells.
    joined = "".join(names)
    if encoding_type is None and xml.is_plain(joined):
        return names
    if encoding_type == URL_ENCODING and not joined.encode().translate(None, _PLAIN_BYTES):
        return names
    if encoding_type not in (None, URL_ENCODING) or joined.count(_BETWEEN):
        return [xml.escape(encode_name(name, encoding_type) or "") for name in names]
    # One pass over all of them: in `key=value` every name has something to encode.
    text = _BETWEEN.join(names)
    if encoding_type is None:
        return xml.escape(text).split(_BETWEEN)
    return _UNSAFE.sub(_percent, text.encode().decode("latin-1")).split(_BETWEEN)


def _percent(match: re.Match[str]) -> str:
    return f"%{ord(match[0]):02X}"


def decode_name(text: str, encoding_type: str | None) -> str:
    """Read a key, prefix or marker; some servers write a space as `+`."""
    return unquote_plus(text) if encoding_type == URL_ENCODING else text


def decode_names(texts: Sequence[str], encoding_type: str | None) -> Sequence[str]:
    """Read the names of a page as `decode_name` does; one look tells that none needs it."""
    joined = "".join(texts)
    if encoding_type != URL_ENCODING or not ("%" in joined or "+" in joined):
        return texts
    return [unquote_plus(text) for text in texts]


def parse_int(element: xml.Element, name: str, default: int | None = None) -> int:
    """Read a number that is not negative.

    Raises:
        S3Error: `MalformedXML` when it is none, or missing without a default.
    """
    text = element.optional(name)
    if text is None and default is not None:
        return default
    stripped = (text or "").strip()
    if not (stripped.isascii() and stripped.isdigit() and len(stripped) <= 19):
        raise S3Error("MalformedXML", f"{name} is not a number.")
    return int(stripped)


def parse_bool(element: xml.Element, name: str) -> bool:
    """Read a boolean; a missing one is false."""
    return element.get(name).strip().lower() == "true"


def parse_instant(element: xml.Element, name: str) -> int:
    """Read an instant as nanoseconds since the epoch; 0 when there is none.

    Raises:
        S3Error: `MalformedXML` when it is none.
    """
    text = element.get(name).strip()
    if not text:
        return 0
    try:
        return parse_iso8601(text)
    except ValueError as error:
        raise S3Error("MalformedXML", f"{name} is not an instant.") from error


def check_children(element: xml.Element, *names: str) -> None:
    """Make sure that an element has no other children than these.

    Settings are read strictly: what is not understood would be lost when they are written again.

    Raises:
        S3Error: `MalformedXML`.
    """
    for child in element.children:
        if child.name not in names:
            raise S3Error("MalformedXML", f"The element {element.name} must have no {child.name}.")


def parse_switch(element: xml.Element, name: str, on: str, off: str) -> bool:
    """Read a child whose text is one of two words.

    Raises:
        S3Error: `MalformedXML` for another text, or none.
    """
    text = element.require(name).strip()
    if text not in {on, off}:
        raise S3Error("MalformedXML", f"{name} must be {on} or {off}.")
    return text == on


def optional_int(element: xml.Element, name: str) -> int | None:
    """Read a number that is not negative; None when there is none.

    Raises:
        S3Error: `MalformedXML` when it is no number.
    """
    return None if element.find(name) is None else parse_int(element, name)


def optional_instant(element: xml.Element, name: str) -> int | None:
    """Read an instant as nanoseconds since the epoch; None when there is none.

    Raises:
        S3Error: `MalformedXML` when it is no instant.
    """
    return parse_instant(element, name) if element.get(name).strip() else None


def check_rule_ids(ids: Sequence[str | None]) -> None:
    """Make sure that the names of a setting's rules are short and each is there once.

    Raises:
        S3Error: `InvalidArgument`.
    """
    named = [rule_id for rule_id in ids if rule_id]
    if any(len(rule_id) > RULE_ID_LENGTH_MAX for rule_id in named):
        raise S3Error("InvalidArgument", f"A rule's ID has at most {RULE_ID_LENGTH_MAX} letters.")
    if len(set(named)) < len(named):
        raise S3Error("InvalidArgument", "Rule ID must be unique. Found same ID for several rules.")
