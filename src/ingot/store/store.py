"""The object store: its parts put together over a catalog and blobs, in one directory."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ingot.base.clock import Clock, SystemClock
from ingot.store.annotations import Annotations
from ingot.store.blobs.contract import Blobs
from ingot.store.blobs.files import FileBlobs
from ingot.store.bodies import Bodies
from ingot.store.buckets import Buckets
from ingot.store.catalog.contract import Catalog
from ingot.store.catalog.sqlite import SqliteCatalog
from ingot.store.census import Census
from ingot.store.changes import Changes
from ingot.store.core import Core
from ingot.store.garbage import GARBAGE_DELAY_S
from ingot.store.layout import prepare_directory
from ingot.store.lifecycle import Lifecycle
from ingot.store.maintenance import UPLOAD_EXPIRY_S, Maintenance
from ingot.store.objects import Objects
from ingot.store.quotas import Quotas
from ingot.store.registry import Registry
from ingot.store.scrub import Scrubber
from ingot.store.uploads import Uploads

MakeLock = Callable[[], AbstractContextManager[bool]]

MAINTENANCE_LOCK = "maintenance.lock"
# Held by whoever removes garbage, and by backups, which still need it.
GARBAGE_LOCK = "garbage.lock"
SCRUB_LOCK = "scrub.lock"
LIFECYCLE_LOCK = "lifecycle.lock"
CENSUS_LOCK = "census.lock"

_log = logging.getLogger(__name__)


class ObjectStore:
    """Buckets, objects and uploads over one catalog and one set of blobs.

    Plain methods are short reads that run inline on the event loop; coroutines write or move
    bytes. What a coroutine has written is durable when it returns. No process may fork after
    opening a store.

    Attributes:
        buckets: creating, finding and deleting buckets.
        objects: reading, writing and listing objects.
        annotations: the tags and locks of objects.
        uploads: multipart uploads.
        quotas: how much buckets may hold.
        registry: documents that are kept for others.
        bodies: bytes on their way in.
        directory: where it is; `None` for a store in memory.
        deployment_id: names this store for as long as it lives.
        maintenance: garbage and the remains of crashes; one task of each process runs it.
        scrubber: reads everything and tells of damage; likewise.
        lifecycle: lets go what the rules of buckets say; likewise.
        census: finds out what buckets hold; likewise.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: Blobs,
        *,
        clock: Clock,
        maintenance_lock: MakeLock,
        garbage_lock: MakeLock = lambda: contextlib.nullcontext(enter_result=True),
        scrub_lock: MakeLock = lambda: contextlib.nullcontext(enter_result=True),
        lifecycle_lock: MakeLock = lambda: contextlib.nullcontext(enter_result=True),
        census_lock: MakeLock = lambda: contextlib.nullcontext(enter_result=True),
        garbage_delay_s: float = GARBAGE_DELAY_S,
        upload_expiry_s: float = UPLOAD_EXPIRY_S,
    ) -> None:
        self._catalog = catalog
        self._blobs = blobs
        self.directory: Path | None = None
        self.deployment_id = ""
        self.bodies = Bodies(blobs)
        self.buckets = Buckets(catalog, clock)
        changes = Changes(catalog, self.buckets, clock, garbage_delay_s=garbage_delay_s)
        core = Core(catalog, self.bodies, self.buckets, changes, clock)
        self.objects = Objects(core)
        self.annotations = Annotations(core, self.objects)
        self.uploads = Uploads(core, self.objects)
        self.quotas = Quotas(core)
        self.registry = Registry(catalog)
        self.census = Census(core, self.quotas, census_lock)
        self.scrubber = Scrubber(core, scrub_lock)
        self.lifecycle = Lifecycle(self.buckets, self.objects, self.uploads, clock, lifecycle_lock)
        self.maintenance = Maintenance(
            core,
            self.uploads,
            self.quotas,
            maintenance_lock,
            garbage_lock,
            upload_expiry_s=upload_expiry_s,
            garbage_delay_s=garbage_delay_s,
        )

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        clock: Clock | None = None,
        garbage_delay_s: float = GARBAGE_DELAY_S,
        upload_expiry_s: float = UPLOAD_EXPIRY_S,
    ) -> ObjectStore:
        """Open the store in a directory, creating it there if there is none. Blocking.

        Any number of processes may have the same directory open.

        Args:
            root: the store's directory.
            clock: the time; the machine's unless given.
            garbage_delay_s: how long bytes that were overwritten or deleted stay for readers.
            upload_expiry_s: how long an upload may rest before it is aborted; 0 for ever.

        Raises:
            StoreFormatError: the directory was written by a newer version, or holds no store.
            OSError: the directory cannot be used.
        """
        found = prepare_directory(root)
        catalog = SqliteCatalog(root / "catalog")
        try:
            blobs = FileBlobs(root / "blobs", on_failure=catalog.fail)
        except BaseException:
            catalog.close()
            raise
        store = cls(
            catalog,
            blobs,
            clock=clock or SystemClock(),
            maintenance_lock=lambda: _try_lock(root / MAINTENANCE_LOCK),
            garbage_lock=lambda: _try_lock(root / GARBAGE_LOCK),
            scrub_lock=lambda: _try_lock(root / SCRUB_LOCK),
            lifecycle_lock=lambda: _try_lock(root / LIFECYCLE_LOCK),
            census_lock=lambda: _try_lock(root / CENSUS_LOCK),
            garbage_delay_s=garbage_delay_s,
            upload_expiry_s=upload_expiry_s,
        )
        store.directory, store.deployment_id = root, found.deployment_id
        return store

    @property
    def failure(self) -> str | None:
        """Say why this process acknowledges no more writes, `None` while it does."""
        return self._catalog.failure

    def close(self) -> None:
        """Finish what is being written and release everything. Blocking, idempotent."""
        self.maintenance.stop()
        self.bodies.close()
        sound = self._catalog.failure is None
        self._catalog.close()
        self._blobs.close(settled=sound and self.bodies.in_hand == 0)


@contextlib.contextmanager
def _try_lock(path: Path) -> Iterator[bool]:
    """Yield whether this process holds the lock; it ends with the block or the process."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        # What needs the lock can wait; to end the process for it would undo a failed store's vow
        # to acknowledge nothing.
        _log.error("store.lock.failed path=%s: %s", path, error.strerror)
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
