"""The document of a bucket's replication: which objects are copied to which other bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ingot.s3 import xml
from ingot.s3.documents.common import check_children, check_rule_ids, optional_int, parse_switch
from ingot.s3.errors import S3Error
from ingot.s3.tags import OBJECT_TAGS_MAX, check_tags

RULES_MAX = 1000
_ON, _OFF = "Enabled", "Disabled"
# What only Amazon has; it is kept as it is.
_FURTHER = (
    *("Account", "AccessControlTranslation", "EncryptionConfiguration"),
    *("ReplicationTime", "Metrics"),
)
_FURTHER_CRITERIA = ("SseKmsEncryptedObjects",)


class ReplicationRule(NamedTuple):
    """One rule.

    Attributes:
        bucket: the target's ARN.
        id: the rule's name.
        priority: of two rules for one object, the higher wins; None as rules once were written.
        enabled: whether it is carried out.
        prefix: of the keys it is about.
        tags: that objects must have.
        storage_class: of the copies; None as the original.
        delete_markers: whether deletions are carried over.
        version_deletes: whether deletions of versions are carried over (MinIO's addition).
        existing: whether objects that were there before are copied; None is not said.
        replica_changes: whether changes of copies are carried back; None is not said.
        further: what else the destination says, as XML: its owner, encryption, times.
        further_criteria: what else the source's selection says, as XML.
    """

    bucket: str
    id: str | None = None
    priority: int | None = None
    enabled: bool = True
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    storage_class: str | None = None
    delete_markers: bool = False
    version_deletes: bool = False
    existing: bool | None = None
    replica_changes: bool | None = None
    further: str = ""
    further_criteria: str = ""


class Replication(NamedTuple):
    """All rules, and the role whose rights they are carried out with."""

    role: str
    rules: tuple[ReplicationRule, ...]


def render(replication: Replication) -> bytes:
    """Write ReplicationConfiguration."""
    return xml.document(
        "ReplicationConfiguration",
        xml.leaf("Role", replication.role),
        *(_render_rule(rule) for rule in replication.rules),
    )


def parse(data: bytes) -> Replication:
    """Read ReplicationConfiguration.

    Raises:
        S3Error: `MalformedXML`, `InvalidArgument` for IDs, `InvalidRequest` for priorities.
    """
    root = xml.parse(data, "ReplicationConfiguration")
    check_children(root, "Role", "Rule")
    rules = tuple(_parse_rule(element) for element in root.all("Rule"))
    if not 1 <= len(rules) <= RULES_MAX:
        raise S3Error("MalformedXML", f"A replication configuration has 1 to {RULES_MAX} rules.")
    check_rule_ids([rule.id for rule in rules])
    priorities = [rule.priority for rule in rules if rule.priority is not None]
    if len(set(priorities)) < len(priorities):
        raise S3Error("InvalidRequest", "Found duplicate priority in several rules.")
    return Replication(root.get("Role").strip(), rules)


def _render_rule(rule: ReplicationRule) -> str:
    conditions = [xml.leaf("Prefix", rule.prefix)] if rule.prefix or not rule.tags else []
    conditions += [
        xml.node("Tag", xml.leaf("Key", key), xml.leaf("Value", value)) for key, value in rule.tags
    ]
    if len(conditions) > 1:
        conditions = [xml.node("And", *conditions)]
    return xml.node(
        "Rule",
        xml.leaf("ID", rule.id),
        xml.leaf("Priority", rule.priority),
        xml.leaf("Status", _ON if rule.enabled else _OFF),
        _switch("DeleteMarkerReplication", value=rule.delete_markers),
        _switch("DeleteReplication", value=True) if rule.version_deletes else "",
        "" if rule.existing is None else _switch("ExistingObjectReplication", value=rule.existing),
        _render_criteria(rule),
        xml.node("Filter", *conditions),
        xml.node(
            "Destination",
            xml.leaf("Bucket", rule.bucket),
            xml.leaf("StorageClass", rule.storage_class),
            rule.further,
        ),
    )


def _render_criteria(rule: ReplicationRule) -> str:
    changes = rule.replica_changes
    inner = "" if changes is None else _switch("ReplicaModifications", value=changes)
    inner += rule.further_criteria
    return xml.node("SourceSelectionCriteria", inner) if inner else ""


def _switch(name: str, *, value: bool) -> str:
    return xml.node(name, xml.leaf("Status", _ON if value else _OFF))


def _parse_rule(element: xml.Element) -> ReplicationRule:
    check_children(
        element,
        *("ID", "Priority", "Status", "Prefix", "Filter", "Destination"),
        *("DeleteMarkerReplication", "DeleteReplication", "ExistingObjectReplication"),
        "SourceSelectionCriteria",
    )
    destination = element.find("Destination")
    if destination is None:
        raise S3Error("MalformedXML", "The element Rule has no Destination.")
    check_children(destination, "Bucket", "StorageClass", *_FURTHER)
    criteria = element.find("SourceSelectionCriteria") or xml.Element("")
    check_children(criteria, "ReplicaModifications", *_FURTHER_CRITERIA)
    prefix, tags = _parse_filter(element)
    return ReplicationRule(
        bucket=destination.require("Bucket").strip(),
        id=element.get("ID") or None,
        priority=optional_int(element, "Priority"),
        enabled=parse_switch(element, "Status", _ON, _OFF),
        prefix=prefix,
        tags=tags,
        storage_class=destination.optional("StorageClass"),
        delete_markers=bool(_parse_switch(element, "DeleteMarkerReplication")),
        version_deletes=bool(_parse_switch(element, "DeleteReplication")),
        existing=_parse_switch(element, "ExistingObjectReplication"),
        replica_changes=_parse_switch(criteria, "ReplicaModifications"),
        further=_kept(destination, _FURTHER),
        further_criteria=_kept(criteria, _FURTHER_CRITERIA),
    )


def _kept(element: xml.Element, names: Sequence[str]) -> str:
    return "".join(xml.render(child) for child in element.children if child.name in names)


def _parse_switch(element: xml.Element, name: str) -> bool | None:
    child = element.find(name)
    if child is None:
        return None
    check_children(child, "Status")
    return parse_switch(child, "Status", _ON, _OFF)


def _parse_filter(rule: xml.Element) -> tuple[str, tuple[tuple[str, str], ...]]:
    element = rule.find("Filter")
    if element is None:
        return rule.get("Prefix"), ()
    check_children(element, "Prefix", "Tag", "And")
    if len(element.children) > 1:
        raise S3Error("MalformedXML", "A Filter has one condition; And joins several.")
    inner = element.find("And") or element
    check_children(inner, "Prefix", "Tag")
    tags = tuple((tag.require("Key"), tag.require("Value")) for tag in inner.all("Tag"))
    check_tags(tags, limit=OBJECT_TAGS_MAX)
    return inner.get("Prefix"), tags
