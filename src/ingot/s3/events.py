"""The names of S3's events: what notifications are about, and what a stream of them tells.

Sources: Amazon S3 user guide, "Event notification types"; MinIO's bucket notifications, which add
accesses and a few of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "s3:ObjectCreated": (
        *("Put", "Post", "Copy", "CompleteMultipartUpload"),
        *("PutRetention", "PutLegalHold", "PutTagging", "DeleteTagging"),
    ),
    "s3:ObjectRemoved": ("Delete", "DeleteMarkerCreated", "DeleteAllVersions", "NoOP"),
    "s3:ObjectAccessed": ("Get", "Head", "GetRetention", "GetLegalHold", "Attributes"),
    "s3:ObjectRestore": ("Post", "Completed", "Delete"),
    "s3:ObjectTransition": ("Failed", "Complete"),
    "s3:ObjectTagging": ("Put", "Delete"),
    "s3:ObjectAcl": ("Put",),
    "s3:Replication": (
        *("OperationFailedReplication", "OperationNotTracked"),
        *("OperationMissedThreshold", "OperationReplicatedAfterThreshold"),
        "OperationCompletedReplication",
    ),
    "s3:LifecycleExpiration": ("Delete", "DeleteMarkerCreated"),
    "s3:LifecycleTransition": (),
    "s3:LifecycleDelMarkerExpiration": ("Delete",),
    "s3:IntelligentTiering": (),
    "s3:ReducedRedundancyLostObject": (),
    "s3:TestEvent": (),
    "s3:Scanner": ("ManyVersions", "LargeVersions", "BigPrefix"),
    "s3:BucketCreated": (),
    "s3:BucketRemoved": (),
}
EVENTS = frozenset(
    {f"{family}:{name}" for family, names in _FAMILIES.items() for name in names}
    | {f"{family}:*" for family, names in _FAMILIES.items() if names}
    # These families have a single event, which Amazon writes without a star.
    | {family for family, names in _FAMILIES.items() if not names}
    | {"s3:BucketCreated:*", "s3:BucketRemoved:*"}
)

# What people call them, as mc does.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "put": ("s3:ObjectCreated:*",),
    "delete": ("s3:ObjectRemoved:*",),
    "get": ("s3:ObjectAccessed:*",),
    "replica": ("s3:Replication:*",),
    "ilm": ("s3:ObjectTransition:*", "s3:ObjectRestore:*", "s3:LifecycleExpiration:*"),
    "scanner": ("s3:Scanner:*",),
}


def is_event(name: str) -> bool:
    """Tell whether notifications can be about it."""
    return name in EVENTS


def events_of(words: Iterable[str]) -> list[str]:
    """Return the events that people mean by some words: names of groups, or of events.

    Raises:
        ValueError: a word is neither; its only argument is that word.
    """
    found: dict[str, None] = {}
    for word in words:
        if word not in GROUPS and not is_event(word):
            raise ValueError(word)
        found.update(dict.fromkeys(GROUPS.get(word, (word,))))
    return list(found)
