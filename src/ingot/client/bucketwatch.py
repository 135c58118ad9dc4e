"""Tells which names of a bucket or service changed: by its stream of events, else by polling."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.client.pool import Stop
from ingot.client.watch import PendingChanges
from ingot.s3client.errors import ServiceError
from ingot.s3client.listen import LISTEN_SILENCE_S, BucketEvent

# How long a service may take to begin listening before we go on without waiting for it.
_READY_TIMEOUT_S = LISTEN_SILENCE_S + 2.0
_RECONNECT = Backoff(attempts=1_000_000_000, first_s=0.5, limit_s=30.0)

Listen = Callable[[], Iterator[tuple[BucketEvent, ...]]]


class Names(Protocol):
    """What a bucket, or a service, knows of names."""

    def name_of(self, event: BucketEvent) -> str | None:
        """Return the name of what an event is about, or None if that is none of its own."""
        ...


class BucketWatcher:
    """Fills `pending` from a thread of its own; a context manager.

    On entering it returns once the service listens, so nothing that happens afterwards is missed,
    or once it is clear that it does not: then everything is compared every `poll_s`. A stream that
    breaks is opened again, and then everything is compared: what happened meanwhile is unknown.

    Args:
        listen: opens the stream.
        names: turns events into names.
        pending: where names go.
        poll_s: how often to compare everything without a stream.
    """

    def __init__(
        self, listen: Listen, names: Names, pending: PendingChanges, *, poll_s: float
    ) -> None:
        self._listen = listen
        self._names = names
        self._pending = pending
        self._poll_s = poll_s
        self._stop = Stop()
        self._ready = threading.Event()
        self._rng = random.Random()  # noqa: S311 # jitter, not a secret
        self._delays_s = _RECONNECT.delays_s(self._rng)
        self.is_streaming = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, name="bucket-watcher", daemon=True).start()
        self._ready.wait(_READY_TIMEOUT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The thread may sit in a read; it is a daemon and touches nothing but `pending`.
        self._stop.set()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001 # a thread that ends in silence misses all
                # A service may have no such stream, or not for these keys.
                is_refused = isinstance(error, ServiceError) and not isinstance(error, NetworkError)
                if is_refused or not self.is_streaming:
                    return self._poll()
            if self._stop.wait(next(self._delays_s)):
                return None
        return None

    def _follow(self) -> None:
        is_first = True
        for events in self._listen():
            if self._stop.is_set():
                return
            if is_first:
                is_first = False
                if self.is_streaming:
                    self._pending.add_everything()
                self.is_streaming = True
                self._delays_s = _RECONNECT.delays_s(self._rng)
                self._ready.set()
            names = (self._names.name_of(event) for event in events)
            # The name of the folder itself, which may be an object too, is that of all.
            self._pending.add(name for name in names if name is not None)

    def _poll(self) -> None:
        self._ready.set()
        while not self._stop.wait(self._poll_s):
            self._pending.add_everything()
