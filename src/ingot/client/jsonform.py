"""Settings of S3 as JSON, named as Amazon's command line names them, and back; pure.

An element is an object; those that may be repeated are lists under a plural name. What comes back
is XML again, for the strict reader of that document.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingot.base.errors import UsageError
from ingot.s3 import xml
from ingot.s3.errors import S3Error


@dataclass(frozen=True, slots=True)
class Form:
    """How one kind of document is written as JSON.

    Attributes:
        root: of the XML.
        plurals: names of lists, by the name of the element that they repeat.
        numbers: elements whose text is a number.
        switches: elements whose text is true or false.
        aliases: other names that are read, and what they mean.
    """

    root: str
    plurals: Mapping[str, str]
    numbers: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def to_json(self, data: bytes) -> dict[str, Any]:
        """Return the JSON of a document."""
        found = self._value(xml.parse(data, self.root))
        return found if isinstance(found, dict) else {}

    def to_xml(self, document: object) -> bytes:
        """Return the XML of a document.

        Raises:
            UsageError: its shape is not that of one.
        """
        if not isinstance(document, dict):
            raise UsageError(f"a {self.root} is a JSON object")
        try:
            return xml.document(self.root, *self._elements(document))
        except RecursionError as error:
            raise UsageError("the JSON is nested too deeply") from error

    def _value(self, element: xml.Element) -> Any:
        if not element.children:
            text = element.text.strip()
            if element.name in self.numbers:
                return int(text)
            if element.name in self.switches:
                return text == "true"
            return element.text
        found: dict[str, Any] = {}
        for child in element.children:
            value = self._value(child)
            plural = self.plurals.get(child.name)
            # Inside of a filter a single tag stands by itself.
            if plural is None or (child.name == "Tag" and element.name == "Filter"):
                found[child.name] = value
            else:
                found.setdefault(plural, []).append(value)
        return found

    def _elements(self, document: Mapping[str, Any]) -> list[str]:
        singulars = {plural: name for name, plural in self.plurals.items()}
        parts = []
        for key, value in document.items():
            name = self.aliases.get(key, key)
            singular = singulars.get(name)
            if singular is not None and isinstance(value, list):
                parts += [self._element(singular, item) for item in value]
            else:
                parts.append(self._element(name, value))
        return parts

    def _element(self, name: str, value: object) -> str:
        match value:
            case dict():
                return xml.node(name, *self._elements(value))
            case bool():
                return xml.flag(name, value=value)
            case str() | int():
                return xml.leaf(name, value)
            case _:
                raise UsageError(f"{name} cannot be {type(value).__name__} here")


LIFECYCLE = Form(
    "LifecycleConfiguration",
    {
        "Rule": "Rules",
        "Tag": "Tags",
        "Transition": "Transitions",
        "NoncurrentVersionTransition": "NoncurrentVersionTransitions",
    },
    frozenset(
        {
            *("Days", "NoncurrentDays", "NewerNoncurrentVersions", "DaysAfterInitiation"),
            *("ObjectSizeGreaterThan", "ObjectSizeLessThan"),
        }
    ),
    frozenset({"ExpiredObjectDeleteMarker", "ExpiredObjectAllVersions"}),
    # mc calls it so.
    {"RuleFilter": "Filter"},
)
CORS = Form(
    "CORSConfiguration",
    {
        "CORSRule": "CORSRules",
        "AllowedOrigin": "AllowedOrigins",
        "AllowedMethod": "AllowedMethods",
        "AllowedHeader": "AllowedHeaders",
        "ExposeHeader": "ExposeHeaders",
    },
    frozenset({"MaxAgeSeconds"}),
)
REPLICATION = Form(
    "ReplicationConfiguration",
    {"Rule": "Rules", "Tag": "Tags"},
    frozenset({"Priority", "Minutes"}),
)


def xml_of(text: bytes, form: Form) -> bytes:
    """Return a document that people gave, as XML: it is that, or JSON.

    Raises:
        UsageError: it is neither.
    """
    stripped = text.strip()
    if stripped.startswith(b"<"):
        try:
            xml.parse(stripped, form.root)
        except S3Error as error:
            raise UsageError(f"this is no {form.root}: {error.message}") from error
        return stripped
    try:
        document = json.loads(stripped)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is neither XML nor JSON: {error}") from error
    return form.to_xml(document)
