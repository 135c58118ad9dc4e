"""The lifecycle job: lets go what the rules of buckets say, as a careful client would.

One process of those that share a directory does it at a time. It decides on what was listed and
removes only what is still so, and everything may be interrupted and begun again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final

from ingot.base import failpoints
from ingot.base.clock import Clock
from ingot.base.errors import NotFoundError
from ingot.s3.documents.lifecycle import LifecycleRule, parse
from ingot.store.buckets import Buckets
from ingot.store.errors import NoSuchUploadError, ObjectLockedError
from ingot.store.expiry import Fate, Fates, upload_goes
from ingot.store.objects import Objects
from ingot.store.records import ListedRecord
from ingot.store.uploads import Uploads

SETTING: Final = "lifecycle"
_RETRY_S: Final = 30.0
_PAGE: Final = 500
# Between pages, so that requests have their turn.
_PAUSE_S: Final = 0.02

_log = logging.getLogger(__name__)


class _ChangedError(Exception):
    """The version is not any more what was decided on."""


class Lifecycle:
    """Applies the lifecycle rules of a store's buckets.

    Args:
        lock: makes a lock that yields whether this process may do it now.
    """

    def __init__(
        self,
        buckets: Buckets,
        objects: Objects,
        uploads: Uploads,
        clock: Clock,
        lock: Callable[[], AbstractContextManager[bool]],
    ) -> None:
        self._buckets = buckets
        self._objects = objects
        self._uploads = uploads
        self._clock = clock
        self._lock = lock

    async def run(self, *, interval_s: float) -> None:
        """Apply the rules again and again for as long as the task lives; errors are logged."""
        while True:
            with self._lock() as granted:
                while granted:
                    await self._round()
                    await asyncio.sleep(interval_s)
            await asyncio.sleep(_RETRY_S)

    async def apply(self) -> int:
        """Apply the rules of all buckets once; return how much went."""
        count, after = 0, ""
        while page := self._buckets.list(after=after, limit=_PAGE):
            for name, record in page:
                document = record.settings.get(SETTING)
                if document is not None:
                    count += await self._apply_to(name, parse(document.encode()))
            after = page[-1][0]
        return count

    async def _round(self) -> None:
        try:
            count = await self.apply()
        except Exception:  # noqa: BLE001 # a damaged record must end neither the job nor the worker
            _log.exception("store.lifecycle.failed")
        else:
            if count:
                _log.info("store.lifecycle.done removed=%d", count)

    async def _apply_to(self, bucket: str, rules: Sequence[LifecycleRule]) -> int:
        try:
            return await self._expire(bucket, rules) + await self._abort(bucket, rules)
        except NotFoundError:
            return 0  # the bucket was deleted meanwhile

    async def _expire(self, bucket: str, rules: Sequence[LifecycleRule]) -> int:
        fates = Fates(rules, self._clock.now_ns())
        count, key, version_id = 0, "", ""
        while True:
            page = self._objects.list_versions(
                bucket, after_key=key, after_version_id=version_id, limit=_PAGE
            )
            decided = [fate for version in page.versions for fate in fates.see(version)]
            if not page.truncated:
                decided += fates.finish()
            for fate in decided:
                count += await self._carry_out(bucket, fate)
            if not page.truncated:
                return count
            key, version_id = page.next_key, page.next_version_id
            await asyncio.sleep(_PAUSE_S)

    async def _carry_out(self, bucket: str, fate: Fate) -> bool:
        version = fate.version
        listed = version.record

        def unchanged(found: ListedRecord | None) -> None:
            # Of a key without versions the id alone says nothing.
            if found is None or (found.version_id, found.modified_ns, found.etag) != (
                listed.version_id,
                listed.modified_ns,
                listed.etag,
            ):
                raise _ChangedError

        try:
            if fate.for_good:
                await self._objects.delete_versions(
                    bucket, {version.key: [listed.version_id]}, precondition=unchanged
                )
            else:
                await self._objects.delete(bucket, version.key, precondition=unchanged)
        except (_ChangedError, ObjectLockedError):
            return False
        failpoints.reach("object.expired")
        return True

    async def _abort(self, bucket: str, rules: Sequence[LifecycleRule]) -> int:
        if not any(rule.abort_days is not None for rule in rules):
            return 0
        count, key, upload_id = 0, "", ""
        while True:
            page = self._uploads.list(bucket, after_key=key, after_upload_id=upload_id, limit=_PAGE)
            now_ns = self._clock.now_ns()
            for upload in page.uploads:
                if upload_goes(rules, upload, now_ns):
                    count += await self._end(bucket, upload.key, upload.record.upload_id)
            if not page.truncated:
                return count
            key, upload_id = page.next_key, page.next_upload_id
            await asyncio.sleep(_PAUSE_S)

    async def _end(self, bucket: str, key: str, upload_id: str) -> bool:
        try:
            await self._uploads.abort(bucket, key, upload_id)
        except NoSuchUploadError:
            return False
        return True
