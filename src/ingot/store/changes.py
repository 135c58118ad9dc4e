"""Changing what is under a key: read, decide, commit, and again if somebody was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from ingot.base.clock import Clock
from ingot.store import keys
from ingot.store.blobs.contract import Draft
from ingot.store.buckets import BucketPlace, Buckets
from ingot.store.catalog.contract import (
    Catalog,
    CeilingError,
    Check,
    CommitConflictError,
    Put,
)
from ingot.store.errors import (
    BucketUnlockableError,
    ObjectLockedError,
    QuotaExceededError,
    StoreBusyError,
)
from ingot.store.fences import Versioning
from ingot.store.garbage import Garbage
from ingot.store.keys import NULL_VERSION
from ingot.store.locks import keeps, lock_of_new
from ingot.store.records import (
    NO_ATTRIBUTES,
    SCHEMA,
    ListedRecord,
    ObjectRecord,
)
from ingot.store.seals import open_record
from ingot.store.usage import adds_of
from ingot.store.versions import Edit, Stored, Versions

# Called with the object under the key now (None when there is none); it raises what the writer
# is to be told when the write must not happen.
Precondition = Callable[[ListedRecord | None], None]

# Each round lets one of the contenders for a key through, so this many may contend.
COMMIT_ATTEMPTS_MAX = 1000

Result = TypeVar("Result")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a write wants, decided on the state it read.

    Attributes:
        record: the object to be under the key; `None` to remove what is there.
        attachment: the inline body or manifest of `record`.
        checks: what else must hold in the bucket's partition.
        deletes: other keys of the partition that go with this change.
        released: blobs that lose their last record beside those of the replaced object.
        prior: the body of `record`, if it is not durable yet.
    """

    record: ObjectRecord | None
    attachment: bytes | None = None
    checks: Sequence[Check] = ()
    deletes: Sequence[bytes] = ()
    released: Sequence[str] = ()
    prior: Draft | None = None


class Removed(NamedTuple):
    """What deleting did.

    Attributes:
        version_id: of the version that was removed, or of the delete marker that was added;
            `None` where there are no versions.
        delete_marker: whether that is a delete marker.
    """

    version_id: str | None = None
    delete_marker: bool = False


_NOTHING_REMOVED = Removed()


class Changes:
    """Commits changes to the objects of a store."""

    def __init__(
        self, catalog: Catalog, buckets: Buckets, clock: Clock, *, garbage_delay_s: float
    ) -> None:
        self._catalog = catalog
        self._buckets = buckets
        self._clock = clock
        self._garbage = Garbage(clock, garbage_delay_s)
        self.versions = Versions(catalog)

    async def attempt(
        self, bucket: str, step: Callable[[BucketPlace], Awaitable[Result]]
    ) -> Result:
        """Do a step that reads and commits, again for as long as others are faster.

        Args:
            bucket: the bucket's name.
            step: called with the bucket's place; every commit of it demands the fence.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            QuotaExceededError: it would hold more than its quota.
            StoreBusyError: others were faster too often.
        """
        place = self._buckets.place(bucket)
        for _ in range(COMMIT_ATTEMPTS_MAX):
            try:
                return await step(place)
            except CommitConflictError:
                place = self._buckets.refresh(bucket)
            except CeilingError as error:
                raise QuotaExceededError(bucket) from error
        raise StoreBusyError(f"too many writers change the same in bucket {bucket!r}")

    async def apply(
        self,
        bucket: str,
        key: str,
        plan: Plan | Callable[[str], Plan],
        *,
        precondition: Precondition | None = None,
    ) -> ObjectRecord | None:
        """Replace the object under a key, or add a version, and return the new record.

        Args:
            bucket: the bucket's name.
            key: the object's key.
            plan: what is wanted, about the object alone; or what tells it, called with the
                bucket's partition, anew for each attempt.
            precondition: see `Precondition`; what it saw is what is replaced.

        Returns:
            The record as it was written: the object's, or the delete marker's where the plan
            removes the object of a bucket with versions; else `None`.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            BucketUnlockableError: a lock is asked for where there are none.
            StoreBusyError: others were faster too often.
        """
        unread = precondition is None and isinstance(plan, Plan)

        async def step(place: BucketPlace) -> ObjectRecord | None:
            nonlocal unread
            if unread and _keeps_no_account(place):
                assert isinstance(plan, Plan)
                unread = False
                return await self._overwrite(Edit(place), key, _with_lock(plan, bucket, place))
            current = self._current(place, key)
            if precondition is not None:
                precondition(None if current is None else open_record(key, current.value))
            wanted = plan if isinstance(plan, Plan) else plan(place.partition)
            wanted = _with_lock(wanted, bucket, place)
            edit = Edit(place)
            edit.checks += wanted.checks
            edit.released += wanted.released
            record = self._edit(edit, key, current, wanted)
            for other in wanted.deletes:
                edit.delete(other)
            await self._commit(edit, wanted.prior)
            return record

        return await self.attempt(bucket, step)

    async def remove_all(self, bucket: str, names: Iterable[str]) -> dict[str, Removed]:
        """Remove the objects of many keys in one commit; those that are not there are done."""
        distinct = dict.fromkeys(names)
        unread = True

        async def step(place: BucketPlace) -> dict[str, Removed]:
            nonlocal unread
            edit = Edit(place)
            if unread and _keeps_no_account(place):
                unread = False
                for key in distinct:
                    self.versions.overwrite(edit, key, None, None)
                await self._commit(edit)
                return dict.fromkeys(distinct, _NOTHING_REMOVED)
            removed = {}
            for key in distinct:
                current = self._current(place, key)
                marker = self._edit(edit, key, current, Plan(record=None))
                removed[key] = removed_by(marker)
            await self._commit(edit)
            return removed

        return await self.attempt(bucket, step)

    async def remove_versions(
        self,
        bucket: str,
        wanted: Mapping[str, Collection[str]],
        *,
        precondition: Precondition | None = None,
        bypass_governance: bool = False,
    ) -> dict[tuple[str, str], Removed]:
        """Remove versions in one commit; those that are not there are done.

        Args:
            bucket: the bucket's name.
            wanted: the ids of the versions to remove by their keys.
            precondition: called with each version (`None` where there is none).
            bypass_governance: remove versions with retention in governance mode, too.

        Returns:
            What was done for each key and version id.

        Raises:
            NoSuchBucketError: the bucket does not exist.
            ObjectLockedError: a version is locked; none was removed.
            Exception: what the precondition raised.
        """
        self._buckets.refresh(bucket)

        async def step(place: BucketPlace) -> dict[tuple[str, str], Removed]:
            edit = Edit(place)
            now_ns = self._clock.now_ns()
            outcome = {}
            for key, version_ids in wanted.items():
                found = self.versions.remove(edit, key, version_ids)
                for version_id in version_ids:
                    record = found.get(version_id)
                    if precondition is not None:
                        precondition(record)
                    lock = None if record is None else record.lock
                    if keeps(lock, now_ns, bypass_governance=bypass_governance):
                        raise ObjectLockedError(bucket, key, version_id)
                    marker = record is not None and record.delete_marker
                    outcome[key, version_id] = Removed(version_id, marker)
            await self._commit(edit)
            return outcome

        return await self.attempt(bucket, step)

    def garbage(self, blob_ids: Sequence[str]) -> list[Put]:
        """Return the entries of the garbage queue for blobs that lose their record."""
        return self._garbage.entries(blob_ids)

    def _current(self, place: BucketPlace, key: str) -> Stored | None:
        object_key = keys.object_key(key)
        if place.rules.versioning is Versioning.OFF:
            value = self._catalog.get(place.partition, object_key)
            return None if value is None else Stored(value, None)
        # What is attached moves with the record when it becomes an older version.
        found = self._catalog.get_with_attachment(place.partition, object_key)
        return None if found is None else Stored(*found)

    async def _overwrite(self, edit: Edit, key: str, wanted: Plan) -> ObjectRecord | None:
        """Replace or remove an object without having read it."""
        others = (*wanted.checks, *wanted.deletes, *wanted.released)
        assert not others, "it is about the object alone"
        self.versions.overwrite(edit, key, wanted.record, wanted.attachment)
        await self._commit(edit, wanted.prior)
        return wanted.record

    def _edit(
        self, edit: Edit, key: str, current: Stored | None, wanted: Plan
    ) -> ObjectRecord | None:
        if edit.place.rules.versioning is Versioning.OFF:
            self.versions.replace(edit, key, current, wanted.record, wanted.attachment)
            return wanted.record
        record = wanted.record or _delete_marker(self._clock.now_ns())
        return self.versions.add(edit, key, current, record, wanted.attachment)

    async def _commit(self, edit: Edit, prior: Draft | None = None) -> None:
        puts, deletes = edit.puts, edit.deletes
        if puts or deletes:
            puts += self.garbage(edit.released)
            await self._catalog.commit(
                edit.place.partition,
                checks=edit.checks,
                puts=puts,
                deletes=deletes,
                adds=adds_of(edit.place.rules, edit.checks, puts, deletes),
                prior=prior,
                displaced=self._garbage if edit.unread else None,
            )
        elif self._catalog.get(edit.place.partition, keys.FENCE) != edit.place.fence.expected:
            # There was nothing to do in the bucket of the past.
            raise CommitConflictError("the bucket changed meanwhile")


def _keeps_no_account(place: BucketPlace) -> bool:
    """Tell whether nothing in a bucket depends on the object that goes."""
    return place.rules.versioning is Versioning.OFF and place.rules.quota is None


def _with_lock(plan: Plan, bucket: str, place: BucketPlace) -> Plan:
    """Return the plan with the lock that its record gets in this bucket."""
    record, rules = plan.record, place.rules
    if record is None or (record.lock is None and rules.lock_rule is None):
        return plan
    if not rules.lockable:
        raise BucketUnlockableError(bucket)
    lock = lock_of_new(record.lock, rules.lock_rule, record.modified_ns)
    return msgspec.structs.replace(plan, record=msgspec.structs.replace(record, lock=lock))


def removed_by(marker: ObjectRecord | None) -> Removed:
    """Return what a deletion did that named no version."""
    return _NOTHING_REMOVED if marker is None else Removed(marker.version_id, delete_marker=True)


def _delete_marker(now_ns: int) -> ObjectRecord:
    return ObjectRecord(
        schema=SCHEMA,
        version_id=NULL_VERSION,
        delete_marker=True,
        modified_ns=now_ns,
        size_bytes=0,
        etag="",
        checksum_type="",
        checksums={},
        layout="inline",
        blob=None,
        part_count=0,
        upload_id="",
        attributes=NO_ATTRIBUTES,
    )
