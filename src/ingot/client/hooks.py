"""Notifications of a bucket as people ask for them: by ARN, words for events, prefix, suffix."""

from __future__ import annotations

import hashlib

from ingot.base.errors import UsageError
from ingot.s3.documents.notification import FUNCTION, QUEUE, TOPIC, Hook
from ingot.s3.events import GROUPS, events_of

# What an ARN's service is, arn:partition:SERVICE:…; MinIO's are all queues.
_KINDS = {"sqs": QUEUE, "sns": TOPIC, "lambda": FUNCTION}


def made_hook(arn: str, words: str, *, prefix: str, suffix: str) -> Hook:
    """Make a notification of what options say.

    Raises:
        UsageError: it is no ARN of a target, or a word is no event.
    """
    parts = arn.split(":")
    kind = _KINDS.get(parts[2]) if len(parts) >= 6 and parts[0] == "arn" else None
    if kind is None:
        raise UsageError(f"{arn!r} names no target", hint="write it like arn:minio:sqs::1:webhook")
    events = parse_events(words)
    named = "\0".join((arn, *events, prefix, suffix))
    # The same name for the same wish, on every machine.
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    return Hook(arn, events, prefix, suffix, kind, f"ingot-{digest}")


def parse_events(words: str) -> tuple[str, ...]:
    """Read words for events, separated by commas.

    Raises:
        UsageError: one of them is none.
    """
    try:
        events = events_of(word.strip() for word in words.split(",") if word.strip())
    except ValueError as error:
        raise UsageError(
            f"{error.args[0]!r} is no event",
            hint=f"there are {', '.join(GROUPS)}, and names as s3:ObjectCreated:Put",
        ) from error
    if not events:
        raise UsageError("no events were named", hint="for example --event put,delete")
    return tuple(events)


def same_hook(one: Hook, other: Hook) -> bool:
    """Tell whether two notifications are the same but for their names."""
    return one._replace(id=None, events=()) == other._replace(id=None, events=()) and set(
        one.events
    ) == set(other.events)


def matches(
    hook: Hook, arn: str | None, words: str | None, prefix: str | None, suffix: str | None
) -> bool:
    """Tell whether a notification is one that is asked for; None asks for nothing.

    Raises:
        UsageError: a word is no event.
    """
    return (
        arn in (None, hook.arn)
        and (words is None or set(parse_events(words)) == set(hook.events))
        and prefix in (None, hook.prefix)
        and suffix in (None, hook.suffix)
    )
