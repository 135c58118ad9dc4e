"""The document of a bucket's lifecycle rules; `lifecyclerules` has what they must obey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.common import (
    check_children,
    optional_instant,
    optional_int,
    parse_bool,
    parse_int,
    parse_switch,
)
from ingot.s3.errors import S3Error

_CONDITIONS = ("Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan")


class Filter(NamedTuple):
    """Which objects a rule is about: all that meet every condition that is given."""

    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    larger_bytes: int | None = None
    smaller_bytes: int | None = None


class Expiration(NamedTuple):
    """When the current version goes: after days, at a date, or when it is a lone delete marker.

    With `all_versions`, MinIO's addition, older ones go along.
    """

    days: int | None = None
    date_ns: int | None = None
    lone_marker: bool = False
    all_versions: bool = False


class Transition(NamedTuple):
    """When the current version moves to another storage class."""

    storage_class: str
    days: int | None = None
    date_ns: int | None = None


class NoncurrentExpiration(NamedTuple):
    """When older versions go: `days` after they were replaced, but the newest `keep` stay."""

    days: int | None = None
    keep: int | None = None


class NoncurrentTransition(NamedTuple):
    """When older versions move to another storage class."""

    storage_class: str
    days: int | None = None
    keep: int | None = None


class LifecycleRule(NamedTuple):
    """One rule.

    `abort_days` is how long an unfinished upload may rest; `marker_days`, MinIO's addition, how
    long a delete marker stays before it goes with all versions.
    """

    id: str | None = None
    enabled: bool = True
    filter: Filter = Filter()
    expiration: Expiration | None = None
    transitions: tuple[Transition, ...] = ()
    noncurrent_expiration: NoncurrentExpiration | None = None
    noncurrent_transitions: tuple[NoncurrentTransition, ...] = ()
    abort_days: int | None = None
    marker_days: int | None = None


def render(rules: Sequence[LifecycleRule]) -> bytes:
    """Write LifecycleConfiguration."""
    return xml.document("LifecycleConfiguration", *(_render_rule(rule) for rule in rules))


def parse(data: bytes) -> list[LifecycleRule]:
    """Read LifecycleConfiguration as it is written; `lifecyclerules.check` tells if S3 takes it.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "LifecycleConfiguration")
    check_children(root, "Rule")
    return [_parse_rule(element) for element in root.children]


def _render_rule(rule: LifecycleRule) -> str:
    return xml.node(
        "Rule",
        xml.leaf("ID", rule.id),
        xml.leaf("Status", "Enabled" if rule.enabled else "Disabled"),
        _render_filter(rule.filter),
        _render_expiration(rule.expiration),
        *(
            xml.node(
                "Transition",
                xml.leaf("Days", item.days),
                xml.leaf("Date", _date(item.date_ns)),
                xml.leaf("StorageClass", item.storage_class),
            )
            for item in rule.transitions
        ),
        _render_noncurrent("NoncurrentVersionExpiration", rule.noncurrent_expiration),
        *(
            _render_noncurrent("NoncurrentVersionTransition", item)
            for item in rule.noncurrent_transitions
        ),
        ""
        if rule.abort_days is None
        else xml.node(
            "AbortIncompleteMultipartUpload", xml.leaf("DaysAfterInitiation", rule.abort_days)
        ),
        ""
        if rule.marker_days is None
        else xml.node("DelMarkerExpiration", xml.leaf("Days", rule.marker_days)),
    )


def _render_filter(condition: Filter) -> str:
    parts = [xml.leaf("Prefix", condition.prefix)] if condition.prefix else []
    parts += [
        xml.node("Tag", xml.leaf("Key", key), xml.leaf("Value", value))
        for key, value in condition.tags
    ]
    for name, size in zip(
        _CONDITIONS[2:], (condition.larger_bytes, condition.smaller_bytes), strict=True
    ):
        if size is not None:
            parts.append(xml.leaf(name, size))
    if len(parts) > 1:
        parts = [xml.node("And", *parts)]
    # An empty filter is an empty prefix: older services want the element to have something in it.
    return xml.node("Filter", *(parts or [xml.leaf("Prefix", "")]))


def _render_expiration(expiration: Expiration | None) -> str:
    if expiration is None:
        return ""
    return xml.node(
        "Expiration",
        xml.leaf("Days", expiration.days),
        xml.leaf("Date", _date(expiration.date_ns)),
        xml.flag("ExpiredObjectDeleteMarker", value=True) if expiration.lone_marker else "",
        xml.flag("ExpiredObjectAllVersions", value=True) if expiration.all_versions else "",
    )


def _render_noncurrent(name: str, item: NoncurrentExpiration | NoncurrentTransition | None) -> str:
    if item is None:
        return ""
    return xml.node(
        name,
        xml.leaf("NoncurrentDays", item.days),
        xml.leaf("NewerNoncurrentVersions", item.keep),
        xml.leaf("StorageClass", item.storage_class)
        if isinstance(item, NoncurrentTransition)
        else "",
    )


def _date(time_ns: int | None) -> str | None:
    return None if time_ns is None else format_iso8601(time_ns)


def _parse_rule(element: xml.Element) -> LifecycleRule:
    check_children(
        element,
        *("ID", "Status", "Filter", "Prefix", "Expiration", "Transition"),
        *("NoncurrentVersionExpiration", "NoncurrentVersionTransition"),
        *("AbortIncompleteMultipartUpload", "DelMarkerExpiration"),
    )
    return LifecycleRule(
        id=element.get("ID") or None,
        enabled=parse_switch(element, "Status", "Enabled", "Disabled"),
        filter=_parse_filter(element),
        expiration=_parse_expiration(element.find("Expiration")),
        transitions=tuple(_parse_transition(item) for item in element.all("Transition")),
        noncurrent_expiration=_parse_noncurrent_expiration(
            element.find("NoncurrentVersionExpiration")
        ),
        noncurrent_transitions=tuple(
            _parse_noncurrent_transition(item)
            for item in element.all("NoncurrentVersionTransition")
        ),
        abort_days=_parse_days(element, "AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
        marker_days=_parse_days(element, "DelMarkerExpiration", "Days"),
    )


def _parse_days(rule: xml.Element, name: str, inner: str) -> int | None:
    element = rule.find(name)
    if element is None:
        return None
    check_children(element, inner)
    return parse_int(element, inner)


def _parse_filter(rule: xml.Element) -> Filter:
    element = rule.find("Filter")
    if element is None:
        # How rules were written before 2016; MinIO leaves out what would be empty.
        return Filter(rule.get("Prefix"))
    if rule.find("Prefix") is not None:
        raise S3Error("MalformedXML", "A Rule has a Filter or a Prefix, not both.")
    check_children(element, *_CONDITIONS, "And")
    both = element.find("And")
    if len(element.children) > 1:
        raise S3Error("MalformedXML", "A Filter has one condition; And joins several.")
    inner = element if both is None else both
    check_children(inner, *_CONDITIONS)
    if sum(child.name == "Prefix" for child in inner.children) > 1:
        raise S3Error("MalformedXML", "A Filter has one Prefix.")
    return Filter(
        inner.get("Prefix"),
        tuple((tag.require("Key"), tag.require("Value")) for tag in inner.all("Tag")),
        optional_int(inner, _CONDITIONS[2]),
        optional_int(inner, _CONDITIONS[3]),
    )


def _parse_expiration(element: xml.Element | None) -> Expiration | None:
    if element is None:
        return None
    check_children(element, "Days", "Date", "ExpiredObjectDeleteMarker", "ExpiredObjectAllVersions")
    return Expiration(
        optional_int(element, "Days"),
        optional_instant(element, "Date"),
        parse_bool(element, "ExpiredObjectDeleteMarker"),
        parse_bool(element, "ExpiredObjectAllVersions"),
    )


def _parse_transition(element: xml.Element) -> Transition:
    check_children(element, "Days", "Date", "StorageClass")
    return Transition(
        element.require("StorageClass").strip(),
        optional_int(element, "Days"),
        optional_instant(element, "Date"),
    )


def _parse_noncurrent_expiration(element: xml.Element | None) -> NoncurrentExpiration | None:
    if element is None:
        return None
    check_children(element, "NoncurrentDays", "NewerNoncurrentVersions")
    return NoncurrentExpiration(
        optional_int(element, "NoncurrentDays"), optional_int(element, "NewerNoncurrentVersions")
    )


def _parse_noncurrent_transition(element: xml.Element) -> NoncurrentTransition:
    check_children(element, "NoncurrentDays", "NewerNoncurrentVersions", "StorageClass")
    return NoncurrentTransition(
        element.require("StorageClass").strip(),
        optional_int(element, "NoncurrentDays"),
        optional_int(element, "NewerNoncurrentVersions"),
    )
