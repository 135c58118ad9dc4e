"""Lifecycle rules as people ask for them: one made of options, or an old one changed; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingot.base.errors import NotFoundError, UsageError
from ingot.s3.dates import format_iso8601
from ingot.s3.documents.lifecycle import (
    Expiration,
    Filter,
    LifecycleRule,
    NoncurrentExpiration,
    NoncurrentTransition,
    Transition,
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What options say of a rule; None was not said.

    Attributes:
        prefix: of the keys.
        tags: that objects have.
        larger_bytes: objects are longer than this.
        smaller_bytes: objects are shorter than this.
        expire_days: the current version goes then.
        expire_date_ns: the current version goes then.
        expire_marker: a delete marker goes when no version is left.
        expire_all: older versions go along (MinIO's addition).
        transition_days: the current version moves then.
        transition_date_ns: the current version moves then.
        transition_class: where to.
        noncurrent_expire_days: older versions go then.
        noncurrent_expire_keep: but so many of the newest stay.
        noncurrent_transition_days: older versions move then.
        noncurrent_transition_keep: but so many of the newest stay.
        noncurrent_transition_class: where to.
        abort_days: an unfinished upload goes then.
    """

    prefix: str | None = None
    tags: tuple[tuple[str, str], ...] | None = None
    larger_bytes: int | None = None
    smaller_bytes: int | None = None
    expire_days: int | None = None
    expire_date_ns: int | None = None
    expire_marker: bool | None = None
    expire_all: bool | None = None
    transition_days: int | None = None
    transition_date_ns: int | None = None
    transition_class: str | None = None
    noncurrent_expire_days: int | None = None
    noncurrent_expire_keep: int | None = None
    noncurrent_transition_days: int | None = None
    noncurrent_transition_keep: int | None = None
    noncurrent_transition_class: str | None = None
    abort_days: int | None = None


def applied(rule: LifecycleRule, wish: Wish) -> LifecycleRule:
    """Return a rule with what a wish says; what it does not say stays.

    Raises:
        UsageError: a transition has no time or no class.
    """
    return rule._replace(
        filter=_filter(rule.filter, wish),
        expiration=_expiration(rule.expiration, wish),
        transitions=_transitions(rule.transitions, wish),
        noncurrent_expiration=_noncurrent_expiration(rule.noncurrent_expiration, wish),
        noncurrent_transitions=_noncurrent_transitions(rule.noncurrent_transitions, wish),
        abort_days=rule.abort_days if wish.abort_days is None else wish.abort_days,
    )


def replaced(rules: Iterable[LifecycleRule], rule: LifecycleRule) -> list[LifecycleRule]:
    """Return rules with one in place of that of its ID.

    Raises:
        NotFoundError: none has it.
    """
    found = list(rules)
    found[_index(found, rule.id or "")] = rule
    return found


def without(rules: Sequence[LifecycleRule], rule_id: str) -> list[LifecycleRule]:
    """Return rules without that of an ID.

    Raises:
        NotFoundError: none has it.
    """
    index = _index(rules, rule_id)
    return [*rules[:index], *rules[index + 1 :]]


def rule_of(rules: Sequence[LifecycleRule], rule_id: str) -> LifecycleRule:
    """Return the rule of an ID.

    Raises:
        NotFoundError: none has it.
    """
    return rules[_index(rules, rule_id)]


def conditions(condition: Filter) -> str:
    """Say for people which objects a rule is about."""
    words = [condition.prefix + "*"] if condition.prefix else []
    words += [f"{key}={value}" for key, value in condition.tags]
    if condition.larger_bytes is not None:
        words.append(f"> {condition.larger_bytes} B")
    if condition.smaller_bytes is not None:
        words.append(f"< {condition.smaller_bytes} B")
    return ", ".join(words) or "all"


def expires(rule: LifecycleRule) -> bool:
    """Tell whether a rule removes something."""
    return bool(rule.expiration or rule.noncurrent_expiration or rule.abort_days is not None)


def moves(rule: LifecycleRule) -> bool:
    """Tell whether a rule moves something to another storage class."""
    return bool(rule.transitions or rule.noncurrent_transitions)


def actions(rule: LifecycleRule) -> str:
    """Say for people what a rule does."""
    words = []
    if (expiration := rule.expiration) is not None:
        if expiration.lone_marker:
            words.append("remove lone delete markers")
        else:
            what = "expire all versions" if expiration.all_versions else "expire"
            words.append(f"{what} {_when(expiration.days, expiration.date_ns)}")
    words += [
        f"move to {item.storage_class} {_when(item.days, item.date_ns)}"
        for item in rule.transitions
    ]
    if (older := rule.noncurrent_expiration) is not None:
        words.append(f"expire older versions{_noncurrent(older.days, older.keep)}")
    words += [
        f"move older versions to {item.storage_class}{_noncurrent(item.days, item.keep)}"
        for item in rule.noncurrent_transitions
    ]
    if rule.abort_days is not None:
        words.append(f"abort uploads after {rule.abort_days} d")
    if rule.marker_days is not None:
        words.append(f"remove delete markers with all versions after {rule.marker_days} d")
    return "; ".join(words)


def _filter(condition: Filter, wish: Wish) -> Filter:
    return Filter(
        condition.prefix if wish.prefix is None else wish.prefix,
        condition.tags if wish.tags is None else wish.tags,
        condition.larger_bytes if wish.larger_bytes is None else wish.larger_bytes,
        condition.smaller_bytes if wish.smaller_bytes is None else wish.smaller_bytes,
    )


def _expiration(old: Expiration | None, wish: Wish) -> Expiration | None:
    # A time and a lone marker exclude each other, so whatever is said replaces all of it.
    said = (wish.expire_days, wish.expire_date_ns, wish.expire_marker or None)
    if any(item is not None for item in said):
        return Expiration(
            wish.expire_days, wish.expire_date_ns, bool(wish.expire_marker), bool(wish.expire_all)
        )
    if wish.expire_all is not None and old is not None:
        return old._replace(all_versions=wish.expire_all)
    if wish.expire_all:
        raise UsageError("all versions expire with the current one: say when")
    return old


def _transitions(old: tuple[Transition, ...], wish: Wish) -> tuple[Transition, ...]:
    said = (wish.transition_days, wish.transition_date_ns, wish.transition_class)
    if all(item is None for item in said):
        return old
    days, date_ns, storage_class = said
    if len(old) == 1:
        storage_class = storage_class or old[0].storage_class
        if days is None and date_ns is None:
            days, date_ns = old[0].days, old[0].date_ns
    if storage_class is None or (days is None and date_ns is None):
        raise UsageError("objects move at some time to some storage class: say both")
    return (Transition(storage_class, days, date_ns),)


def _noncurrent_expiration(
    old: NoncurrentExpiration | None, wish: Wish
) -> NoncurrentExpiration | None:
    if wish.noncurrent_expire_days is None and wish.noncurrent_expire_keep is None:
        return old
    before = old or NoncurrentExpiration()
    return NoncurrentExpiration(
        before.days if wish.noncurrent_expire_days is None else wish.noncurrent_expire_days,
        before.keep if wish.noncurrent_expire_keep is None else wish.noncurrent_expire_keep,
    )


def _noncurrent_transitions(
    old: tuple[NoncurrentTransition, ...], wish: Wish
) -> tuple[NoncurrentTransition, ...]:
    days, keep = wish.noncurrent_transition_days, wish.noncurrent_transition_keep
    storage_class = wish.noncurrent_transition_class
    if days is None and keep is None and storage_class is None:
        return old
    if len(old) == 1:
        storage_class = storage_class or old[0].storage_class
        days = old[0].days if days is None else days
        keep = old[0].keep if keep is None else keep
    if storage_class is None or days is None:
        raise UsageError("older versions move after some days to some storage class: say both")
    return (NoncurrentTransition(storage_class, days, keep),)


def _index(rules: Sequence[LifecycleRule], rule_id: str) -> int:
    for index, rule in enumerate(rules):
        if rule.id == rule_id:
            return index
    known = ", ".join(rule.id for rule in rules if rule.id) or "none"
    raise NotFoundError(f"there is no rule {rule_id!r}", hint=f"there are: {known}")


def _when(days: int | None, date_ns: int | None) -> str:
    if date_ns is not None:
        return f"on {format_iso8601(date_ns)[:10]}"
    return f"after {days} d"


def _noncurrent(days: int | None, keep: int | None) -> str:
    after = "" if days is None else f" after {days} d"
    return after if keep is None else f"{after} but the newest {keep}"
