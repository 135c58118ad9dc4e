"""Which versions lifecycle rules let go: decided version by version, in bounded memory. Pure.

Source: Amazon S3 user guide, "Expiring objects" and "Lifecycle configuration elements".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ingot.s3.documents.lifecycle import Filter, LifecycleRule
from ingot.store.pages import ListedUpload, ListedVersion
from ingot.store.records import ObjectRecord

_DAY_NS: Final = 24 * 3600 * 10**9


class Fate(NamedTuple):
    """What is to happen to a version.

    Attributes:
        version: as it was listed.
        for_good: it is removed; otherwise the object is deleted as a DELETE would, which leaves a
            delete marker where versions are kept.
    """

    version: ListedVersion
    for_good: bool


def due_ns(since_ns: int, days: int) -> int:
    """Return when so many days are over: at the next midnight (UTC), as Amazon rounds."""
    return -(-(since_ns + days * _DAY_NS) // _DAY_NS) * _DAY_NS


class Fates:
    """Decides on the versions of a bucket in the order of their listing.

    Args:
        rules: the bucket's.
        now_ns: the time.
    """

    def __init__(self, rules: Sequence[LifecycleRule], now_ns: int) -> None:
        self._rules = [rule for rule in rules if rule.enabled]
        self._now_ns = now_ns
        self._key: str | None = None
        # Of the key: how many versions came before, when the last of them was made, and whether
        # all that follow go with the latest.
        self._seen = 0
        self._newer_ns = 0
        self._all_go = False
        # A latest delete marker that goes if nothing else of its key follows.
        self._lone: ListedVersion | None = None

    def see(self, version: ListedVersion) -> Iterator[Fate]:
        """Take the next version, and yield what is decided by it."""
        if version.key != self._key:
            yield from self.finish()
            self._key, self._seen, self._all_go = version.key, 0, False
        self._lone = None
        record = version.record
        if version.is_latest:
            yield from self._latest(version)
        elif self._all_go or self._noncurrent_goes(version):
            yield Fate(version, for_good=True)
        self._seen += 1
        self._newer_ns = record.modified_ns

    def finish(self) -> Iterator[Fate]:
        """Yield what is decided when nothing of the key follows."""
        if self._lone is not None:
            yield Fate(self._lone, for_good=True)
            self._lone = None

    def _latest(self, version: ListedVersion) -> Iterator[Fate]:
        record = version.record
        matching = [rule for rule in self._rules if _fits(rule.filter, version.key, record)]
        if record.delete_marker:
            if any(self._is_over(record, rule.marker_days) for rule in matching):
                self._all_go = True
                yield Fate(version, for_good=True)
            elif any(self._lone_goes(rule, record) for rule in matching):
                self._lone = version
            return
        expired = [rule.expiration for rule in matching if self._expires(rule, record)]
        self._all_go = any(item is not None and item.all_versions for item in expired)
        if expired:
            yield Fate(version, for_good=self._all_go)

    def _expires(self, rule: LifecycleRule, record: ObjectRecord) -> bool:
        expiration = rule.expiration
        if expiration is None:
            return False
        if expiration.date_ns is not None:
            return self._now_ns >= expiration.date_ns
        return self._is_over(record, expiration.days)

    def _lone_goes(self, rule: LifecycleRule, record: ObjectRecord) -> bool:
        """Tell whether a delete marker without versions goes; days are counted for it, too."""
        expiration = rule.expiration
        return expiration is not None and (expiration.lone_marker or self._expires(rule, record))

    def _noncurrent_goes(self, version: ListedVersion) -> bool:
        for rule in self._rules:
            wanted = rule.noncurrent_expiration
            if wanted is None or not _fits(rule.filter, version.key, version.record):
                continue
            # The latest is no noncurrent version.
            newer = self._seen - 1
            old = wanted.days is None or self._now_ns >= due_ns(self._newer_ns, wanted.days)
            if old and newer >= (wanted.keep or 0):
                return True
        return False

    def _is_over(self, record: ObjectRecord, days: int | None) -> bool:
        return days is not None and self._now_ns >= due_ns(record.modified_ns, days)


def upload_goes(rules: Sequence[LifecycleRule], upload: ListedUpload, now_ns: int) -> bool:
    """Tell whether an unfinished upload rests for too long."""
    return any(
        rule.enabled
        and rule.abort_days is not None
        and upload.key.startswith(rule.filter.prefix)
        and now_ns >= due_ns(upload.record.initiated_ns, rule.abort_days)
        for rule in rules
    )


def _fits(condition: Filter, key: str, record: ObjectRecord) -> bool:
    if not key.startswith(condition.prefix):
        return False
    if record.delete_marker:
        # It has neither tags nor a size to be chosen by.
        narrowed = (condition.larger_bytes, condition.smaller_bytes) != (None, None)
        return not (narrowed or condition.tags)
    tags = record.attributes.tags
    return (
        all(tags.get(name) == value for name, value in condition.tags)
        and (condition.larger_bytes is None or record.size_bytes > condition.larger_bytes)
        and (condition.smaller_bytes is None or record.size_bytes < condition.smaller_bytes)
    )
