"""Reading and writing the XML of S3: a strict reader into a small tree, and a text writer.

Namespaces are read and dropped, as Amazon does: clients send theirs, another, or none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn
from xml.parsers import expat

from ingot.base.limits import XML_BODY_BYTES_MAX
from ingot.base.units import KIB
from ingot.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
DEPTH_MAX = 16
# A list page of 1,000 objects has 8,000; 10,000 parts with checksums have 50,000.
ELEMENTS_MAX = 100_000

# XML 1.0 §2.2: these cannot stand in a document in any form.
_FORBIDDEN_REFERENCE = re.compile(
    rb"&#(?:x0*(?:[0-8bcBCeEfF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2\d|3[01]));"
)
# `GetBucketVersioningResponse`; an ErrorResponse stays an error.
_ANSWER = re.compile(r"(Get|List)[A-Za-z]+(Response|Output)")
_SPECIAL = re.compile(r"[&<>\"\x00-\x08\x0b-\x1f]")
_PLAIN_BYTES = bytes(byte for byte in range(256) if not _SPECIAL.match(chr(byte)) or byte >= 0x80)
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_INEXPRESSIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class Element:
    """An element that was read: its name without namespace, its text, its children in order."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def all(self, name: str) -> Iterator[Element]:
        """Yield the children of that name."""
        return (child for child in self.children if child.name == name)

    def find(self, name: str) -> Element | None:
        """Return the first child of that name, or None."""
        # A loop, not a generator: a page of a listing asks this some 7,000 times.
        for child in self.children:
            if child.name == name:
                return child
        return None

    def get(self, name: str, default: str = "") -> str:
        """Return the text of the first child of that name."""
        child = self.find(name)
        return default if child is None else child.text

    def optional(self, name: str) -> str | None:
        """Return the text of the first child of that name, or None."""
        child = self.find(name)
        return None if child is None else child.text

    def require(self, name: str) -> str:
        """Return the text of the first child of that name.

        Raises:
            S3Error: `MalformedXML` when there is none.
        """
        child = self.find(name)
        if child is None:
            raise S3Error("MalformedXML", f"The element {self.name} has no {name}.")
        return child.text


def parse(data: bytes, root: str, *, lenient: bool = False) -> Element:
    """Read a document.

    Args:
        data: the document's bytes, at most 4 MiB.
        root: the name its root element must have.
        lenient: for clients only. Read references to control characters, which S3 servers write
            although XML 1.0 forbids them, as U+FFFD; and take a root that is called after its
            operation, as some services write it.

    Raises:
        S3Error: `MalformedXML`, `MaxMessageLengthExceeded`.
    """
    if len(data) > XML_BODY_BYTES_MAX:
        raise S3Error("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(XML_BODY_BYTES_MAX))
    if lenient and b"&#" in data:
        data = _FORBIDDEN_REFERENCE.sub("\ufffd".encode(), data)
    element = _Reader().read(data)
    if element.name != root and not (lenient and _ANSWER.fullmatch(element.name)):
        raise S3Error("MalformedXML", f"The document is no {root}.")
    return element


class _Reader:
    def __init__(self) -> None:
        self._top = Element("")
        self._stack = [self._top]
        self._count = 0
        # Names without their namespace: a listing has ten of them, thousands of times.
        self._names: dict[str, str] = {}
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.buffer_size = 64 * KIB
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        # No document of S3 has a DOCTYPE, and every attack by entities needs one.
        parser.StartDoctypeDeclHandler = self._refuse
        self._parser = parser

    def read(self, data: bytes) -> Element:
        try:
            self._parser.Parse(data, True)
        except (expat.ExpatError, LookupError, ValueError) as error:
            # The latter two: an encoding that Python does not have, or expat cannot use.
            raise S3Error("MalformedXML") from error
        return self._top.children[0]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX or len(self._stack) > DEPTH_MAX:
            raise S3Error("MalformedXML", "The document has too many elements.")
        plain = self._names.get(name)
        if plain is None:
            plain = self._names[name] = name.rpartition(" ")[2]
        element = Element(plain)
        self._stack[-1].children.append(element)
        self._stack.append(element)

    def _end(self, name: str) -> None:
        self._stack.pop()

    def _characters(self, text: str) -> None:
        self._stack[-1].text += text

    def _refuse(self, *declaration: object) -> NoReturn:
        raise S3Error("MalformedXML", "The document has a DOCTYPE.")


def escape(text: str) -> str:
    """Write text for the content of an element.

    Control characters become references, as Amazon writes them: a reader of XML 1.0 fails loudly
    on them instead of taking another name for the true one (`encoding-type=url` avoids them).
    """
    if text.isalnum() or _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(_escape_one, text)


def is_plain(text: str) -> bool:
    """Tell whether `escape` would leave the text as it is; quick with long ones."""
    return not text.encode().translate(None, _PLAIN_BYTES)


def expressible(text: str) -> bool:
    """Tell whether XML 1.0 can carry the text."""
    return _INEXPRESSIBLE.search(text) is None


def leaf(name: str, value: str | int | None) -> str:
    """Write `<name>value</name>`, or nothing when the value is None."""
    if value is None:
        return ""
    return f"<{name}>{value if isinstance(value, int) else escape(value)}</{name}>"


def flag(name: str, *, value: bool) -> str:
    """Write a boolean leaf."""
    return f"<{name}>{'true' if value else 'false'}</{name}>"


def node(name: str, *content: str) -> str:
    """Write an element around content that is XML already."""
    return f"<{name}>{''.join(content)}</{name}>"


def render(element: Element) -> str:
    """Write an element that was read, with all that is in it."""
    if not element.children:
        return leaf(element.name, element.text)
    return node(element.name, *(render(child) for child in element.children))


def rows(count: int, *columns: str | Sequence[str]) -> list[str]:
    """Return the pieces of `count` elements that are alike, to be joined.

    Args:
        count: how many elements.
        columns: what each consists of, in order: a text that all have, or the texts of each.
    """
    merged: list[str | Sequence[str]] = []
    for column in columns:
        last = merged[-1] if merged else None
        if isinstance(column, str) and isinstance(last, str):
            merged[-1] = last + column
        else:
            merged.append(column)
    pieces = [column if isinstance(column, str) else "" for column in merged] * count
    for index, column in enumerate(merged):
        if not isinstance(column, str):
            pieces[index :: len(merged)] = column
    return pieces


def document(root: str, *content: str) -> bytes:
    """Write a whole document in S3's namespace."""
    return document_of(root, content)


def document_of(root: str, content: Iterable[str]) -> bytes:
    """Write a document of many pieces."""
    # Joined once: a page of a listing is a third of a megabyte.
    opening = f'{DECLARATION}<{root} xmlns="{NAMESPACE}">'
    return "".join([opening, *content, f"</{root}>"]).encode()


def _escape_one(match: re.Match[str]) -> str:
    character = match.group()
    return _ENTITIES.get(character) or f"&#x{ord(character):X};"
