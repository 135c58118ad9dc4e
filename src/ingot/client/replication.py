"""Replication rules as people ask for them; pure."""

from __future__ import annotations

from ingot.base.errors import NotFoundError, UsageError
from ingot.client.tagging import parse_tags
from ingot.s3.documents.replication import Replication, ReplicationRule

EXTRAS = ("delete-marker", "delete", "existing-objects", "metadata-sync")


def made_rule(
    arn: str,
    rule_id: str,
    *,
    enabled: bool,
    priority: int | None,
    prefix: str,
    tags: str | None,
    storage_class: str | None,
    extras: str,
) -> ReplicationRule:
    """Make a rule of what options say.

    Raises:
        UsageError: the target is no ARN, or a word is unknown.
    """
    if not arn.startswith("arn:") or arn.count(":") < 5:
        raise UsageError(
            f"{arn!r} is no ARN",
            hint="write it like arn:aws:s3:::bucket; on MinIO a target is made with its own tools",
        )
    rule = ReplicationRule(
        arn,
        rule_id,
        priority,
        enabled,
        prefix,
        () if tags is None else tuple(parse_tags(tags).items()),
        storage_class,
    )
    return _with_extras(rule, extras)


def added(now: Replication | None, rule: ReplicationRule, role: str | None) -> Replication:
    """Return a setting with one more rule; one without a priority gets the next.

    Raises:
        UsageError: there is another rule of that name or priority.
    """
    rules = () if now is None else now.rules
    if any(one.id == rule.id for one in rules):
        raise UsageError(f"there is a rule {rule.id!r} already")
    highest = max((one.priority or 0 for one in rules), default=0)
    if rule.priority is None:
        rule = rule._replace(priority=highest + 1)
    elif any(one.priority == rule.priority for one in rules):
        raise UsageError(f"there is a rule of priority {rule.priority} already")
    return Replication(role or (now.role if now else ""), (*rules, rule))


def updated(
    now: Replication,
    rule_id: str,
    *,
    enabled: bool | None,
    priority: int | None,
    prefix: str | None,
    tags: str | None,
    storage_class: str | None,
    extras: str | None,
) -> Replication:
    """Return a setting with one rule changed; what is None stays.

    Raises:
        NotFoundError: there is no such rule.
        UsageError: a word is unknown.
    """
    index = _index(now, rule_id)
    rule = now.rules[index]
    rule = rule._replace(
        enabled=rule.enabled if enabled is None else enabled,
        priority=rule.priority if priority is None else priority,
        prefix=rule.prefix if prefix is None else prefix,
        tags=rule.tags if tags is None else tuple(parse_tags(tags).items()),
        storage_class=rule.storage_class if storage_class is None else storage_class,
    )
    if extras is not None:
        rule = _with_extras(rule, extras)
    return now._replace(rules=(*now.rules[:index], rule, *now.rules[index + 1 :]))


def without(now: Replication, rule_id: str) -> Replication | None:
    """Return a setting without one rule; None if none is left.

    Raises:
        NotFoundError: there is no such rule.
    """
    index = _index(now, rule_id)
    rest = (*now.rules[:index], *now.rules[index + 1 :])
    return now._replace(rules=rest) if rest else None


def only_target(now: Replication) -> str:
    """Return the ARN that all rules have.

    Raises:
        UsageError: they have several.
    """
    arns = sorted({rule.bucket for rule in now.rules})
    if len(arns) != 1:
        raise UsageError(
            "the rules have several targets", hint=f"add --remote-bucket, one of {', '.join(arns)}"
        )
    return arns[0]


def conditions(rule: ReplicationRule) -> str:
    """Say for people which objects a rule is about."""
    words = [f"{rule.prefix}*"] if rule.prefix else []
    words += [f"{key}={value}" for key, value in rule.tags]
    return ", ".join(words) or "all"


def extras(rule: ReplicationRule) -> str:
    """Say for people what a rule carries over beside new objects."""
    said = (rule.delete_markers, rule.version_deletes, rule.existing, rule.replica_changes)
    return ",".join(word for word, on in zip(EXTRAS, said, strict=True) if on) or "-"


def _with_extras(rule: ReplicationRule, text: str) -> ReplicationRule:
    words = {word.strip() for word in text.split(",") if word.strip()}
    for word in words:
        if word not in EXTRAS:
            raise UsageError(f"{word!r} cannot be replicated", hint=f"one of {', '.join(EXTRAS)}")
    marker, deletes, existing, changes = (word in words for word in EXTRAS)
    return rule._replace(
        delete_markers=marker,
        version_deletes=deletes,
        existing=True if existing else None,
        replica_changes=True if changes else None,
    )


def _index(now: Replication, rule_id: str) -> int:
    for index, rule in enumerate(now.rules):
        if rule.id == rule_id:
            return index
    known = ", ".join(rule.id for rule in now.rules if rule.id) or "none"
    raise NotFoundError(f"there is no rule {rule_id!r}", hint=f"there are: {known}")
