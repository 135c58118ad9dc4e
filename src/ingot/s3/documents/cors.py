"""The document of a bucket's CORS rules: which origins' pages may ask it for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.base.units import KIB
from ingot.s3 import xml
from ingot.s3.documents.common import check_children, check_rule_ids, optional_int
from ingot.s3.errors import S3Error

METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
RULES_MAX = 100
DOCUMENT_BYTES_MAX = 64 * KIB


class CorsRule(NamedTuple):
    """What pages of some origins may do.

    Attributes:
        origins: `https://example.com`, `*` for all, or with one `*` in it.
        methods: of `METHODS`.
        headers: which request headers they may send; each may have one `*` in it.
        exposed: which answer headers they may see.
        max_age_s: how long a browser may remember the answer.
        id: the rule's name.
    """

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    max_age_s: int | None = None
    id: str | None = None


def render(rules: Sequence[CorsRule]) -> bytes:
    """Write CORSConfiguration."""
    return xml.document("CORSConfiguration", *(_render_rule(rule) for rule in rules))


def parse(data: bytes) -> list[CorsRule]:
    """Read CORSConfiguration.

    Raises:
        S3Error: `MalformedXML`, `InvalidRequest` for methods and patterns that S3 does not have,
            `InvalidArgument` for IDs.
    """
    if len(data) > DOCUMENT_BYTES_MAX:
        raise S3Error("MalformedXML", f"A CORS configuration has at most {DOCUMENT_BYTES_MAX} B.")
    root = xml.parse(data, "CORSConfiguration")
    check_children(root, "CORSRule")
    rules = [_parse_rule(element) for element in root.children]
    if not 1 <= len(rules) <= RULES_MAX:
        raise S3Error("MalformedXML", f"A CORS configuration has 1 to {RULES_MAX} rules.")
    check_rule_ids([rule.id for rule in rules])
    return rules


def _render_rule(rule: CorsRule) -> str:
    return xml.node(
        "CORSRule",
        xml.leaf("ID", rule.id),
        *(xml.leaf("AllowedOrigin", origin) for origin in rule.origins),
        *(xml.leaf("AllowedMethod", method) for method in rule.methods),
        *(xml.leaf("AllowedHeader", header) for header in rule.headers),
        *(xml.leaf("ExposeHeader", header) for header in rule.exposed),
        xml.leaf("MaxAgeSeconds", rule.max_age_s),
    )


def _parse_rule(element: xml.Element) -> CorsRule:
    names = ("ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader")
    check_children(element, *names, "MaxAgeSeconds")
    origins, methods, headers, exposed = (
        tuple(child.text.strip() for child in element.all(name)) for name in names[1:]
    )
    if not origins or not methods:
        raise S3Error("MalformedXML", "A CORSRule needs an AllowedOrigin and an AllowedMethod.")
    for method in methods:
        if method not in METHODS:
            raise S3Error("InvalidRequest", f"Found unsupported HTTP method {method!r}.")
    for pattern in (*origins, *headers):
        if not pattern or pattern.count("*") > 1:
            raise S3Error("InvalidRequest", f"{pattern!r} can have at most one wildcard.")
    age_s = optional_int(element, "MaxAgeSeconds")
    return CorsRule(origins, methods, headers, exposed, age_s, element.get("ID") or None)
