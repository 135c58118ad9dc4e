"""The headers of object lock: what a writer asks for, and what GET and HEAD answer.

Source: Amazon S3 API reference, PutObject and GetObject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ingot.s3.dates import format_iso8601, parse_iso8601
from ingot.s3.documents.lock import MODES, Retention
from ingot.s3.errors import S3Error

MODE_HEADER = "x-amz-object-lock-mode"
UNTIL_HEADER = "x-amz-object-lock-retain-until-date"
HOLD_HEADER = "x-amz-object-lock-legal-hold"
BUCKET_HEADER = "x-amz-bucket-object-lock-enabled"
BYPASS_HEADER = "x-amz-bypass-governance-retention"


class AskedLock(NamedTuple):
    """What a writer asks for: a retention, a legal hold, or both."""

    retention: Retention | None
    hold: bool


def parse_lock_headers(headers: Mapping[str, str], now_ns: int) -> AskedLock | None:
    """Read what a request asks for; None when it asks for nothing.

    Raises:
        S3Error: `InvalidArgument`.
    """
    mode, until, hold = (headers.get(name) for name in (MODE_HEADER, UNTIL_HEADER, HOLD_HEADER))
    if mode is None and until is None and hold is None:
        return None
    if hold not in {None, "ON", "OFF"}:
        raise _invalid(HOLD_HEADER, hold, "Legal hold must be either of 'ON' or 'OFF'")
    if mode is None and until is None:
        return AskedLock(None, hold == "ON")
    if mode is None or until is None:
        raise _invalid(
            MODE_HEADER,
            mode,
            f"{UNTIL_HEADER} and {MODE_HEADER} must both be supplied",
        )
    if mode not in MODES:
        raise _invalid(MODE_HEADER, mode, "Unknown wormMode directive.")
    try:
        until_ns = parse_iso8601(until)
    except ValueError as error:
        raise _invalid(
            UNTIL_HEADER, until, "The retain until date must be provided in ISO 8601 format"
        ) from error
    retention = Retention(mode, until_ns)
    check_future(retention, now_ns)
    return AskedLock(retention, hold == "ON")


def check_future(retention: Retention, now_ns: int) -> None:
    """Refuse a retention that is over before it begins.

    Raises:
        S3Error: `InvalidArgument`.
    """
    if retention.until_ns <= now_ns:
        until = format_iso8601(retention.until_ns)
        raise _invalid(UNTIL_HEADER, until, "The retain until date must be in the future!")


def format_lock_headers(mode: str, until_ns: int, *, hold: bool) -> dict[str, str]:
    """Return the headers of a locked object; an empty mode means no retention."""
    headers = {}
    if mode:
        headers = {MODE_HEADER: mode, UNTIL_HEADER: format_iso8601(until_ns)}
    if hold:
        headers[HOLD_HEADER] = "ON"
    return headers


def parse_bypass(headers: Mapping[str, str]) -> bool:
    """Tell whether a request wants to pass by retention in governance mode.

    Raises:
        S3Error: `InvalidArgument`.
    """
    return _parse_switch(headers, BYPASS_HEADER)


def parse_lockable(headers: Mapping[str, str]) -> bool:
    """Tell whether a new bucket is to have object lock.

    Raises:
        S3Error: `InvalidArgument`.
    """
    return _parse_switch(headers, BUCKET_HEADER)


def _parse_switch(headers: Mapping[str, str], name: str) -> bool:
    value = headers.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise _invalid(name, value, f"{name} must be true or false.")
    return value == "true"


def _invalid(name: str, value: str | None, message: str) -> S3Error:
    return S3Error("InvalidArgument", message, ArgumentName=name, ArgumentValue=value or "")
