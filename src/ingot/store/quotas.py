"""The quotas of buckets: setting them, counting what is there already, and who has room.

A bucket's quota is in its fence, so that every commit knows of it, and each commit counts what it
changes under `keys.USAGE`. What was there before the quota is counted once, at one moment: what
the commits until that moment had counted is in that sum too, and is taken off again.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator
from typing import Final

from ingot.base import failpoints
from ingot.store import keys
from ingot.store.buckets import BucketPlace
from ingot.store.catalog.contract import Add, CommitConflictError, Put
from ingot.store.core import Core
from ingot.store.errors import QuotaExceededError
from ingot.store.fences import Quota, Rules, Versioning, encode_fence
from ingot.store.keys import NULL_VERSION
from ingot.store.usage import COUNTED_SPACES, NOTHING, Usage, decode_usage, total, usage_of

_MARK_BYTES: Final = 4

_log = logging.getLogger(__name__)


class Quotas:
    """How much the buckets of a store may hold, and hold."""

    def __init__(self, core: Core) -> None:
        self._catalog = core.catalog
        self._buckets = core.buckets
        self._bodies = core.bodies
        self._versions = core.changes.versions

    def get(self, bucket: str) -> int | None:
        """Return how many bytes a bucket may hold, `None` without a quota.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        quota = self._buckets.rules(bucket).quota
        return None if quota is None else quota.size_bytes

    def usage(self, bucket: str) -> Usage | None:
        """Return exactly what a bucket with a quota holds; `None` where nobody counts.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
            RecordDamagedError: what was counted is damaged.
        """
        return self.counted(self._buckets.refresh(bucket))

    def counted(self, place: BucketPlace) -> Usage | None:
        """Return what `usage` does, of a bucket's place; may be called from any thread.

        Raises:
            RecordDamagedError: what was counted is damaged.
        """
        quota = place.rules.quota
        return None if quota is None or quota.counting else self._counted(place)

    async def set(self, bucket: str, size_bytes: int) -> None:
        """Let a bucket hold so much and no more; what it holds is counted when this returns.

        A bucket that holds more already keeps it, and takes what does not make it larger.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        while True:
            place = self._buckets.refresh(bucket)
            quota = place.rules.quota
            mark = secrets.token_hex(_MARK_BYTES) if quota is None else quota.counting
            wanted = place.rules._replace(quota=Quota(size_bytes, mark))
            if place.rules == wanted:
                break
            with contextlib.suppress(CommitConflictError):
                await self._set(place, wanted)
        failpoints.reach("quota.marked")
        await self.count(place.partition)

    async def clear(self, bucket: str) -> None:
        """Let a bucket hold as much as there is room for.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
        """
        while (place := self._buckets.refresh(bucket)).rules.quota is not None:
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    place.partition,
                    checks=[place.fence],
                    puts=[Put(keys.FENCE, encode_fence(place.rules._replace(quota=None)))],
                    deletes=[keys.USAGE],
                )

    async def count(self, partition: str) -> bool:
        """Count what a bucket holds if that is still to be done; tell whether it was."""
        while (place := self._buckets.place_in(partition)) is not None:
            quota = place.rules.quota
            if quota is None or not quota.counting:
                return False
            held = await self._bodies.run(self._survey, partition)
            counted = place.rules._replace(quota=Quota(quota.size_bytes))
            with contextlib.suppress(CommitConflictError):
                await self._catalog.commit(
                    partition,
                    checks=[place.fence],
                    puts=[Put(keys.FENCE, encode_fence(counted))],
                    adds=[Add(keys.USAGE, held)],
                )
                failpoints.reach("quota.counted")
                _log.info("store.quota.counted %s bytes=%d", partition, held.size_bytes)
                return True
        return False

    def require_room(
        self, bucket: str, key: str, size_bytes: int, *, part: tuple[str, int] | None = None
    ) -> None:
        """Refuse early what a commit would be refused for; the commit decides in the end.

        Args:
            bucket: the bucket's name.
            key: of the object to be.
            size_bytes: how much is to be written.
            part: the upload and the number of the part, if it is one.

        Raises:
            NoSuchBucketError: there is no bucket of that name.
            QuotaExceededError: there is no room.
        """
        place = self._buckets.place(bucket)
        if place.rules.quota is not None and place.rules.quota.counting:
            place = self._buckets.refresh(bucket)  # it may be counted by now
        quota = place.rules.quota
        if quota is None or quota.counting:
            return
        room_bytes = quota.size_bytes - self._counted(place).size_bytes
        if size_bytes > max(0, room_bytes) + self._replaced(place, key, part):
            raise QuotaExceededError(bucket)

    def _replaced(self, place: BucketPlace, key: str, part: tuple[str, int] | None) -> int:
        """Return how much would go with what is written under a key."""
        partition = place.partition
        if part is not None:
            name = keys.part_key(*part)
            value = self._catalog.get(partition, name)
        elif place.rules.versioning is Versioning.OFF:
            name = keys.object_key(key)
            value = self._catalog.get(partition, name)
        elif place.rules.versioning is Versioning.SUSPENDED:
            found = self._versions.find(partition, key, NULL_VERSION)
            name, value = (b"", None) if found is None else (found[0], found[1].value)
        else:
            return 0
        return 0 if value is None else usage_of(name, value).size_bytes

    def _counted(self, place: BucketPlace) -> Usage:
        return decode_usage(self._catalog.get(place.partition, keys.USAGE))

    async def _set(self, place: BucketPlace, rules: Rules) -> None:
        await self._catalog.commit(
            place.partition, checks=[place.fence], puts=[Put(keys.FENCE, encode_fence(rules))]
        )

    def _survey(self, partition: str) -> Usage:
        """Return what a bucket holds at one moment, less what was counted until then."""
        ranges = [(space, keys.behind_prefix(space)) for space in sorted(COUNTED_SPACES)]
        rows = self._catalog.survey(partition, [(keys.USAGE, keys.after(keys.USAGE)), *ranges])
        before = NOTHING

        def held() -> Iterator[tuple[bytes, bytes]]:
            nonlocal before
            for key, value in rows:
                if key == keys.USAGE:
                    before = decode_usage(value)
                else:
                    yield key, value

        return total(held()).plus(before, -1)
