"""What S3 asks of lifecycle rules, for those who write them and for those who are given them.

Source: Amazon S3 user guide, "Lifecycle configuration elements".
"""

from __future__ import annotations

from collections.abc import Sequence

from ingot.s3.dates import NS_PER_S
from ingot.s3.documents.common import check_rule_ids
from ingot.s3.documents.lifecycle import Filter, LifecycleRule
from ingot.s3.errors import S3Error
from ingot.s3.tags import OBJECT_TAGS_MAX, check_tags

RULES_MAX = 1000
KEEP_MAX = 100
_DAY_NS = 24 * 3600 * NS_PER_S


def check(rules: Sequence[LifecycleRule]) -> None:
    """Make sure that S3 takes these rules.

    Raises:
        S3Error: `MalformedXML`, `InvalidArgument`, `InvalidRequest`, `InvalidTag`.
    """
    if not 1 <= len(rules) <= RULES_MAX:
        raise S3Error("MalformedXML", f"A lifecycle configuration has 1 to {RULES_MAX} rules.")
    check_rule_ids([rule.id for rule in rules])
    for rule in rules:
        _check_actions(rule)
        _check_filter(rule.filter)
        _check_scope(rule)


def _check_actions(rule: LifecycleRule) -> None:
    if not (
        rule.expiration
        or rule.transitions
        or rule.noncurrent_expiration
        or rule.noncurrent_transitions
        or rule.abort_days is not None
        or rule.marker_days is not None
    ):
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule.")
    if (expiration := rule.expiration) is not None:
        given = (expiration.days, expiration.date_ns, expiration.lone_marker or None)
        if sum(item is not None for item in given) != 1:
            raise S3Error(
                "MalformedXML", "Expiration has one of Days, Date and ExpiredObjectDeleteMarker."
            )
        _check_days("Expiration", expiration.days, least=1)
        _check_date(expiration.date_ns)
    for transition in rule.transitions:
        if (transition.days is None) == (transition.date_ns is None):
            raise S3Error("MalformedXML", "Transition has either Days or Date.")
        _check_days("Transition", transition.days, least=0)
        _check_date(transition.date_ns)
    for item in (rule.noncurrent_expiration, *rule.noncurrent_transitions):
        if item is not None:
            _check_noncurrent(item.days, item.keep)
    _check_days("AbortIncompleteMultipartUpload", rule.abort_days, least=1)
    _check_days("DelMarkerExpiration", rule.marker_days, least=1)


def _check_noncurrent(days: int | None, keep: int | None) -> None:
    if days is None and keep is None:
        raise S3Error("MalformedXML", "Noncurrent versions need NoncurrentDays.")
    _check_days("Noncurrent", days, least=1)
    if keep is not None and not 1 <= keep <= KEEP_MAX:
        raise S3Error("InvalidArgument", f"NewerNoncurrentVersions is 1 to {KEEP_MAX}.")


def _check_days(action: str, days: int | None, *, least: int) -> None:
    if days is not None and days < least:
        raise S3Error("InvalidArgument", f"'Days' for {action} action must be at least {least}.")


def _check_date(date_ns: int | None) -> None:
    if date_ns is not None and date_ns % _DAY_NS:
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")


def _check_filter(condition: Filter) -> None:
    check_tags(condition.tags, limit=OBJECT_TAGS_MAX)
    larger, smaller = condition.larger_bytes, condition.smaller_bytes
    if larger is not None and smaller is not None and larger >= smaller:
        raise S3Error("InvalidRequest", "ObjectSizeGreaterThan must be below ObjectSizeLessThan.")


def _check_scope(rule: LifecycleRule) -> None:
    """Delete markers and uploads have neither tags nor sizes to choose them by."""
    condition = rule.filter
    narrowed = (
        condition.tags or condition.larger_bytes is not None or condition.smaller_bytes is not None
    )
    if not narrowed:
        return
    if rule.expiration is not None and rule.expiration.lone_marker:
        raise S3Error("InvalidRequest", "ExpiredObjectDeleteMarker goes with a Prefix only.")
    if rule.abort_days is not None:
        raise S3Error("InvalidRequest", "AbortIncompleteMultipartUpload goes with a Prefix only.")
