"""Documents of object lock: a bucket's configuration, an object's retention and its legal hold."""

from __future__ import annotations

from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.common import (
    check_children,
    optional_instant,
    optional_int,
    parse_switch,
)
from ingot.s3.errors import S3Error

GOVERNANCE = "GOVERNANCE"
COMPLIANCE = "COMPLIANCE"
MODES = (GOVERNANCE, COMPLIANCE)
# A hundred years, as Amazon has it.
RETENTION_DAYS_MAX = 36_500
RETENTION_YEARS_MAX = 100


class DefaultRetention(NamedTuple):
    """What new objects of a bucket get: exactly one of `days` and `years` is not None."""

    mode: str
    days: int | None = None
    years: int | None = None


class LockConfiguration(NamedTuple):
    """A bucket's object lock, which cannot be taken back once it is on."""

    enabled: bool = True
    default: DefaultRetention | None = None


class Retention(NamedTuple):
    """Until when a version must stay; nanoseconds since the epoch."""

    mode: str
    until_ns: int


def render_configuration(configuration: LockConfiguration) -> bytes:
    """Write ObjectLockConfiguration."""
    default = configuration.default
    return xml.document(
        "ObjectLockConfiguration",
        xml.leaf("ObjectLockEnabled", "Enabled" if configuration.enabled else None),
        ""
        if default is None
        else xml.node(
            "Rule",
            xml.node(
                "DefaultRetention",
                xml.leaf("Mode", default.mode),
                xml.leaf("Days", default.days),
                xml.leaf("Years", default.years),
            ),
        ),
    )


def parse_configuration(data: bytes) -> LockConfiguration:
    """Read ObjectLockConfiguration.

    Raises:
        S3Error: `MalformedXML`, `InvalidArgument` for a time that is not from 1 day to 100 years.
    """
    root = xml.parse(data, "ObjectLockConfiguration")
    check_children(root, "ObjectLockEnabled", "Rule")
    enabled = root.optional("ObjectLockEnabled")
    if enabled not in {None, "Enabled"}:
        raise S3Error("MalformedXML", "ObjectLockEnabled must be Enabled.")
    rule = root.find("Rule")
    if rule is None:
        return LockConfiguration(enabled is not None)
    check_children(rule, "DefaultRetention")
    element = rule.find("DefaultRetention")
    if element is None:
        raise S3Error("MalformedXML", "The element Rule has no DefaultRetention.")
    return LockConfiguration(enabled is not None, _parse_default(element))


def render_retention(retention: Retention | None) -> bytes:
    """Write Retention; None takes one away."""
    if retention is None:
        return xml.document("Retention")
    return xml.document(
        "Retention",
        xml.leaf("Mode", retention.mode),
        xml.leaf("RetainUntilDate", format_iso8601(retention.until_ns)),
    )


def parse_retention(data: bytes, *, lenient: bool = False) -> Retention | None:
    """Read Retention; None when it is empty, which takes one away.

    Args:
        data: the document.
        lenient: as `xml.parse` has it.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "Retention", lenient=lenient)
    check_children(root, "Mode", "RetainUntilDate")
    if not root.children:
        return None
    mode, until_ns = root.require("Mode").strip(), optional_instant(root, "RetainUntilDate")
    if mode not in MODES or until_ns is None:
        raise S3Error("MalformedXML", "Retention needs a Mode and a RetainUntilDate.")
    return Retention(mode, until_ns)


def render_legal_hold(*, on: bool) -> bytes:
    """Write LegalHold."""
    return xml.document("LegalHold", xml.leaf("Status", "ON" if on else "OFF"))


def parse_legal_hold(data: bytes, *, lenient: bool = False) -> bool:
    """Read LegalHold: whether it is on.

    Args:
        data: the document.
        lenient: as `xml.parse` has it; and one that says nothing is off.

    Raises:
        S3Error: `MalformedXML`.
    """
    root = xml.parse(data, "LegalHold", lenient=lenient)
    check_children(root, "Status")
    if lenient and not root.children:
        return False
    return parse_switch(root, "Status", "ON", "OFF")


def _parse_default(element: xml.Element) -> DefaultRetention:
    check_children(element, "Mode", "Days", "Years")
    mode = element.require("Mode").strip()
    days, years = optional_int(element, "Days"), optional_int(element, "Years")
    if days is not None and years is not None:
        # Some services answer with the one that was not set as 0.
        days, years = days or None, years or None
    if mode not in MODES or (days is None) == (years is None):
        raise S3Error("MalformedXML", "DefaultRetention needs a Mode, and Days or Years.")
    if not (1 <= (days or 1) <= RETENTION_DAYS_MAX and 1 <= (years or 1) <= RETENTION_YEARS_MAX):
        raise S3Error("InvalidArgument", "Default retention period must be 1 day to 100 years.")
    if 0 in (days, years):
        raise S3Error("InvalidArgument", "Default retention period must be a positive integer.")
    return DefaultRetention(mode, days, years)
