"""The document of a bucket's notifications: which events are told to whom."""

from __future__ import annotations

from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.documents.common import check_children, check_rule_ids
from ingot.s3.errors import S3Error
from ingot.s3.events import is_event

QUEUE = "Queue"
TOPIC = "Topic"
FUNCTION = "CloudFunction"
KINDS = (QUEUE, TOPIC, FUNCTION)
HOOKS_MAX = 100
_FILTER_LENGTH_MAX = 1024


class Hook(NamedTuple):
    """Events that are told to one target.

    Attributes:
        arn: whom.
        events: which, as `s3:ObjectCreated:*`.
        prefix: of the keys it is about.
        suffix: of the keys it is about.
        kind: of the target: `QUEUE`, `TOPIC` or `FUNCTION`.
        id: the hook's name.
    """

    arn: str
    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""
    kind: str = QUEUE
    id: str | None = None


class Notifications(NamedTuple):
    """All that a bucket tells; `event_bridge` sends everything to Amazon's service of that name."""

    hooks: tuple[Hook, ...] = ()
    event_bridge: bool = False


def render(notifications: Notifications) -> bytes:
    """Write NotificationConfiguration; an empty one turns everything off."""
    # The schema wants topics before queues before functions.
    return xml.document(
        "NotificationConfiguration",
        *(
            _render_hook(hook)
            for kind in (TOPIC, QUEUE, FUNCTION)
            for hook in notifications.hooks
            if hook.kind == kind
        ),
        xml.node("EventBridgeConfiguration") if notifications.event_bridge else "",
    )


def parse(data: bytes, *, lenient: bool = False) -> Notifications:
    """Read NotificationConfiguration.

    Args:
        data: the document.
        lenient: as `xml.parse` has it.

    Raises:
        S3Error: `MalformedXML`, `InvalidArgument` for events and filters that S3 does not have.
    """
    root = xml.parse(data, "NotificationConfiguration", lenient=lenient)
    check_children(root, *(f"{kind}Configuration" for kind in KINDS), "EventBridgeConfiguration")
    hooks = tuple(
        _parse_hook(element, kind) for kind in KINDS for element in root.all(f"{kind}Configuration")
    )
    if len(hooks) > HOOKS_MAX:
        raise S3Error("InvalidArgument", f"A bucket has at most {HOOKS_MAX} notifications.")
    check_rule_ids([hook.id for hook in hooks])
    return Notifications(hooks, root.find("EventBridgeConfiguration") is not None)


def _render_hook(hook: Hook) -> str:
    rules = [
        xml.node("FilterRule", xml.leaf("Name", name), xml.leaf("Value", value))
        for name, value in (("prefix", hook.prefix), ("suffix", hook.suffix))
        if value
    ]
    return xml.node(
        f"{hook.kind}Configuration",
        xml.leaf("Id", hook.id),
        xml.leaf(hook.kind, hook.arn),
        *(xml.leaf("Event", event) for event in hook.events),
        xml.node("Filter", xml.node("S3Key", *rules)) if rules else "",
    )


def _parse_hook(element: xml.Element, kind: str) -> Hook:
    check_children(element, "Id", kind, "Event", "Filter")
    events = tuple(child.text.strip() for child in element.all("Event"))
    arn = element.require(kind).strip()
    if not events or not arn:
        raise S3Error("MalformedXML", f"A {kind}Configuration needs a {kind} and an Event.")
    for event in events:
        if not is_event(event):
            raise S3Error(
                "InvalidArgument", "A specified event is not supported for notifications."
            )
    filters = _parse_filter(element.find("Filter"))
    return Hook(
        arn,
        events,
        filters.get("prefix", ""),
        filters.get("suffix", ""),
        kind,
        element.get("Id") or None,
    )


def _parse_filter(element: xml.Element | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if element is None:
        return found
    check_children(element, "S3Key")
    for inner in element.children:
        check_children(inner, "FilterRule")
        for rule in inner.children:
            check_children(rule, "Name", "Value")
            # Amazon writes them with a capital when it answers.
            name, value = rule.require("Name").strip().lower(), rule.require("Value")
            if name not in {"prefix", "suffix"} or name in found:
                raise S3Error(
                    "InvalidArgument", "A filter rule is named prefix or suffix, each once."
                )
            if len(value) > _FILTER_LENGTH_MAX:
                raise S3Error("InvalidArgument", "The value of a filter rule is too long.")
            found[name] = value
    return found
