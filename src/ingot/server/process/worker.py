"""One serving process: an event loop, the S3 listener, and in the first worker the console's."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from ingot.s3 import crc
from ingot.server.app import S3App
from ingot.server.console.page import console_app
from ingot.server.process import memory
from ingot.server.process.address import Address
from ingot.server.process.ports import await_listening
from ingot.server.service import Service
from ingot.server.settings import Settings

_LISTEN_TIMEOUT_S = 30.0
_BACKLOG = 1024
# Per worker; more requests than this wait in the kernel's queue instead of in our memory.
_CONCURRENT_REQUESTS_MAX = 1024
_HEADER_TIMEOUT_S = 30
# Then who waited for the server has had a first answer.
_SETTLE_S = 1.0
_log = logging.getLogger("ingot.server.worker")


class Listeners(NamedTuple):
    """The two addresses, with real port numbers."""

    api: Address
    console: Address


def serve(
    settings: Settings,
    open_service: Callable[[], Service],
    listeners: Listeners,
    *,
    index: int,
    when_ready: Callable[[], None],
    alive: int | None = None,
) -> int:
    """Serve until SIGTERM, SIGINT or the end of the supervisor, then finish what is in flight.

    Args:
        settings: the server's settings.
        open_service: opens the store; called in this process, never before a fork.
        listeners: where to listen.
        index: the worker's number; 0 serves the console too.
        when_ready: called once connections are accepted.
        alive: a descriptor that ends when the supervisor is gone.

    Returns:
        The exit code: 0 after a requested stop, 1 if a listener ended by itself.
    """
    memory.keep_freed_memory()
    return uvloop.run(
        _serve(settings, open_service, listeners, index=index, when_ready=when_ready, alive=alive)
    )


async def _serve(
    settings: Settings,
    open_service: Callable[[], Service],
    listeners: Listeners,
    *,
    index: int,
    when_ready: Callable[[], None],
    alive: int | None,
) -> int:
    loop = asyncio.get_running_loop()
    stop_requested = asyncio.Event()
    # The command line lets SIGPIPE end it; a client that goes away must not end the server.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_requested.set)
    if alive is not None:
        loop.add_reader(alive, stop_requested.set)
    service = open_service()
    try:
        app = S3App(service)
        servers = [_server(app, listeners.api)]
        if index == 0:
            servers.append(_server(console_app, listeners.console))
        serving = [loop.create_task(server.serve()) for server in servers]
        await asyncio.to_thread(await_listening, listeners.api, timeout_s=_LISTEN_TIMEOUT_S)
        service.events.start()
        memory.settle()
        when_ready()
        loop.call_later(_SETTLE_S, crc.settle)
        # A store that failed keeps being read, and says at /minio/health/ready that it takes no
        # writes. Replacing this process would not help: a new one could take for durable what the
        # kernel remembers and the device never got.
        background = [loop.create_task(service.store.maintenance.run())]
        lifecycle = service.store.lifecycle.run(interval_s=settings.lifecycle_interval_s)
        background.append(loop.create_task(lifecycle))
        background.append(loop.create_task(service.store.census.run()))
        if settings.scrub_rate_bytes:
            scrubbing = service.store.scrubber.run(
                service.metrics,
                rate_bytes=settings.scrub_rate_bytes,
                interval_s=settings.scrub_interval_s,
            )
            background.append(loop.create_task(scrubbing))
        stopping = loop.create_task(stop_requested.wait())
        ended, _ = await asyncio.wait(
            [stopping, *serving, *background], return_when=asyncio.FIRST_COMPLETED
        )
        for task in ended - {stopping}:
            _log.error("a task of the worker ended by itself", exc_info=task.exception())
        if alive is not None:
            loop.remove_reader(alive)
        for task in background:
            task.cancel()
        service.events.close()  # listeners would wait for ever
        code = 0 if stop_requested.is_set() else 1
        await _stop(servers, serving, timeout_s=settings.stop_timeout_s, code=code)
    finally:
        service.close()
    return code


def _server(app: Any, address: Address) -> Server:
    return Server(
        app,
        address=address.host,
        port=address.port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.auto,
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_CONCURRENT_REQUESTS_MAX,
        http1_settings=HTTP1Settings(header_read_timeout=_HEADER_TIMEOUT_S * 1000),
        log_enabled=False,
    )


async def _stop(
    servers: list[Server], serving: list[asyncio.Task[None]], *, timeout_s: float, code: int
) -> None:
    for server in servers:
        server.stop()  # type: ignore[no-untyped-call] # granian ships no annotations for it
    _, unfinished = await asyncio.wait(serving, timeout=timeout_s)
    if unfinished:
        _log.warning("requests still in flight after %g s are cut off", timeout_s)
        # The listener waits for its connections without end; the process is done with them.
        logging.shutdown()
        os._exit(code)
