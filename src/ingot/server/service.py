"""What every request needs, opened once per process: store, identities, settings, clock."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ingot.base.clock import Clock
from ingot.iam.identities import Identity
from ingot.server.access_log import AccessLog
from ingot.server.events.hub import EventHub
from ingot.server.identities import StoredIdentities
from ingot.server.metrics import Metrics, Page
from ingot.store.garbage import GARBAGE_DELAY_S
from ingot.store.maintenance import UPLOAD_EXPIRY_S
from ingot.store.store import ObjectStore


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that handlers and the application share; one per process and event loop."""

    store: ObjectStore
    identities: StoredIdentities
    region: str
    domains: tuple[str, ...]
    clock: Clock
    access_log: AccessLog | None
    host_id: str
    metrics: Metrics = field(default_factory=Metrics)
    metrics_page: Page | None = None
    events: EventHub = field(default_factory=EventHub)
    started_ns: int = 0

    def close(self) -> None:
        """Close the store (blocking); nothing may use the service afterwards."""
        self.store.close()


def open_service(
    data_dir: Path,
    root: Identity,
    *,
    region: str,
    domains: tuple[str, ...],
    access_log: AccessLog | None,
    clock: Clock,
    upload_expiry_s: float = UPLOAD_EXPIRY_S,
    garbage_delay_s: float = GARBAGE_DELAY_S,
    metrics: Metrics | None = None,
    metrics_page: Page | None = None,
    events: EventHub | None = None,
    started_ns: int = 0,
) -> Service:
    """Open the store of a data directory in this process.

    Raises:
        Error: the store is damaged or of a newer version.
    """
    store = ObjectStore.open(
        data_dir,
        clock=clock,
        upload_expiry_s=upload_expiry_s,
        garbage_delay_s=garbage_delay_s,
    )
    return Service(
        store=store,
        identities=StoredIdentities([root], store.registry, clock),
        region=region,
        domains=domains,
        clock=clock,
        access_log=access_log,
        host_id=f"{os.uname().nodename}-{os.getpid()}",
        metrics=metrics or Metrics(),
        metrics_page=metrics_page,
        events=events or EventHub(),
        started_ns=started_ns,
    )
