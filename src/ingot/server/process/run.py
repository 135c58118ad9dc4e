"""The server from settings to exit code: directory, lock, keys, ports, workers, banner."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from ingot.base.clock import SystemClock
from ingot.iam.identities import root_identity
from ingot.server.access_log import access_log
from ingot.server.events.bus import Bus
from ingot.server.events.hub import EventHub
from ingot.server.metrics import Counters, Metrics, Page
from ingot.server.process import banner, datadir, keys, ports, supervisor
from ingot.server.service import Service, open_service
from ingot.server.settings import Settings


def run(
    settings: Settings, *, on_terminal: bool, announce: Callable[[dict[str, Any]], None]
) -> int:
    """Serve until told to stop.

    Args:
        settings: what to serve and where.
        on_terminal: whether the banner goes to a person's terminal, who may see generated keys.
        announce: called once with the banner's data, as soon as all workers serve.

    Returns:
        The exit code; 0 after SIGTERM or SIGINT.

    Raises:
        ConflictError: the data directory or a port is taken.
        Error: the directory, the keys, the store or a worker fails.
    """
    datadir.prepare(settings.data_dir)
    lock = datadir.lock(settings.data_dir)
    root_keys = keys.of_settings(settings) or keys.stored_or_generated(settings.data_dir)
    api_holder, api = ports.reserve(settings.address)
    console_holder, console = ports.reserve(settings.console_address)

    def announce_ready() -> None:
        show_keys = root_keys.generated and (on_terminal or settings.show_keys)
        announce(banner.describe(api, console, root_keys, show_keys=show_keys))

    opened = _opener(settings, root_keys)

    # Imported before the fork, so that workers share the pages; after the checks above, so that
    # their errors come at once.
    from ingot.server.process.worker import Listeners, serve

    listeners = Listeners(api, console)
    try:
        if settings.workers == 1:
            return serve(
                settings, partial(opened, 0), listeners, index=0, when_ready=announce_ready
            )

        def work(index: int, ready: int, alive: int) -> int:
            return serve(
                settings,
                partial(opened, index),
                listeners,
                index=index,
                when_ready=lambda: _write_ready(ready),
                alive=alive,
            )

        workers = supervisor.Supervisor(
            settings.workers, work, stop_timeout_s=settings.stop_timeout_s
        )
        return workers.run(announce_ready)
    finally:
        api_holder.close()
        console_holder.close()
        os.close(lock)


def _opener(settings: Settings, root_keys: keys.RootKeys) -> Callable[[int], Service]:
    """Return what opens the store in a worker, given its number; call it before the fork."""
    counters, bus = Counters(settings.workers), Bus(settings.workers)
    started_ns = SystemClock().now_ns()

    def opened(index: int) -> Service:
        return open_service(
            settings.data_dir,
            root_identity(root_keys.access_key, root_keys.secret_key),
            region=settings.region,
            domains=settings.domains,
            access_log=access_log(settings.access_log),
            clock=SystemClock(),
            upload_expiry_s=settings.upload_expiry_s,
            garbage_delay_s=settings.garbage_delay_s,
            metrics=Metrics(counters, index),
            events=EventHub(bus, index),
            metrics_page=Page(settings.data_dir, settings.metrics_public, settings.metrics_token),
            started_ns=started_ns,
        )

    return opened


def _write_ready(descriptor: int) -> None:
    os.write(descriptor, supervisor.READY)
