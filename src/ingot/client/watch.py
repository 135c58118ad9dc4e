"""Keeps a mirror going: gathers changes of a local folder, or polls, and survives outages."""

from __future__ import annotations

import errno
import random
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ingot.base.clock import Clock
from ingot.base.errors import DeniedError, Error, NetworkError
from ingot.base.retry import Backoff
from ingot.base.units import format_duration
from ingot.client.entries import AncestorStack
from ingot.client.events import Event, Failed, Noted
from ingot.client.inotify import EventsLostError, FolderEvents
from ingot.client.pool import Stop
from ingot.s3client.body import SourceChangedError
from ingot.s3client.errors import ServiceError

# More names than this are not worth their own comparisons: the whole tree is compared instead.
PENDING_NAMES_MAX = 1000
RESCAN_PERIOD_S_DEFAULT = 600.0
_OUTAGE_BACKOFF = Backoff(attempts=1_000_000_000, first_s=1.0, limit_s=30.0)
# How long a burst of events may go on before it is handed over, and how long a pause ends it.
_BURST_S = 0.4
_STEP_S = 0.05
# How long an end of the watch may go unnoticed.
_WAIT_S = 0.1
_READY_TIMEOUT_S = 60.0
# HTTP statuses from here on are the service's own failures.
_SERVICE_FAILED = 500
# A watcher that broke is started anew after such a pause, with a full comparison.
_RESTART = Backoff(attempts=1_000_000_000, first_s=1.0, limit_s=60.0)


class Runner(Protocol):
    """What a watch runs again and again: a comparison of everything, or of some names."""

    def run(self, names: Sequence[str] = ()) -> Generator[Event]:
        """Compare and copy `names` and what is below them; everything if there are none."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be compared: these names and what is below them, or everything."""

    names: tuple[str, ...] = ()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.names)


class PendingChanges:
    """Names that changed and wait to be compared; bounded, safe to use from two threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._names: set[str] = set()
        self._everything = False

    def add(self, names: Iterable[str]) -> None:
        """Note names; an empty name is the whole tree."""
        with self._condition:
            self._names.update(names)
            if "" in self._names or len(self._names) > PENDING_NAMES_MAX:
                self._everything = True
            if self._everything:
                self._names.clear()
            self._condition.notify_all()

    def add_everything(self) -> None:
        """Note that anything may have changed."""
        self.add([""])

    def take(self, timeout_s: float) -> Changes:
        """Wait for changes and take them all; none if the time runs out."""
        with self._condition:
            self._condition.wait_for(lambda: self._everything or self._names, timeout_s)
            changes = Changes(tuple(outermost(self._names)), self._everything)
            self._names.clear()
            self._everything = False
            return changes


def outermost(names: Iterable[str]) -> Iterator[str]:
    """Yield the names that no other one of them is a folder of, in order.

    One with a slash at its end is an object (the marker of a folder), and no other is below it.
    """
    above = AncestorStack()
    for name in sorted(set(names)):
        if above.above(name) is None:
            if not name.endswith("/"):
                above.remember(name)
            yield name


class FolderWatcher:
    """Tells which names below a folder changed, from a thread of its own; a context manager.

    On entering it returns once the kernel's watches stand, so nothing that happens afterwards is
    missed; compare everything after that, not before. When more happens at once than the kernel
    keeps, as when the watcher breaks, it is started anew and everything is to be compared.

    Args:
        root: the folder.
        pending: where names go.
        admits: tells which names are of interest.
        follow_links: what happens in folders that links lead to is of interest, too.
    """

    def __init__(
        self,
        root: Path,
        pending: PendingChanges,
        admits: Callable[[str], bool] = lambda _: True,
        *,
        follow_links: bool = False,
    ) -> None:
        self._root = root.resolve()
        self._pending = pending
        self._admits = admits
        self._follow_links = follow_links
        self._stop = Stop()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(_READY_TIMEOUT_S)
        if self._failure is not None:
            raise _watcher_error(self._root, self._failure)
        if not self._ready.is_set():
            self._stop.set()
            raise Error(f"watching {self._root} did not begin in {_READY_TIMEOUT_S:.0f} s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(_READY_TIMEOUT_S)

    def _serve(self) -> None:
        rng = random.Random()  # noqa: S311 # jitter, not a secret
        pauses = _RESTART.delays_s(rng)
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 # whatever broke the watcher, it is started anew
                if not self._ready.is_set():
                    self._failure = error
                    self._ready.set()
                    return
                if isinstance(error, EventsLostError):
                    # All is well but for what was lost.
                    pauses = _RESTART.delays_s(rng)
                self._stop.wait(next(pauses))
                self._pending.add_everything()

    def _watch(self) -> None:
        with closing(FolderEvents(self._root, follow_links=self._follow_links)) as events:
            # The watches stand from here on: what was missed before is found by comparing.
            if self._ready.is_set():
                self._pending.add_everything()
            self._ready.set()
            while not self._stop.is_set():
                names = events.take(_WAIT_S, step_s=_STEP_S, burst_s=_BURST_S)
                self._pending.add(name for name in names if not name or self._admits(name))


class Watch:
    """Compares everything, then what changes, for as long as its generator is consumed.

    Args:
        runner: the mirror.
        pending: names that changed, filled by a watcher; empty for a source that is polled.
        period_s: compare everything this often; 0 means never.
        clock: for the period.
        sleep: waits between attempts while the peer is away (seconds).
    """

    def __init__(
        self,
        runner: Runner,
        pending: PendingChanges,
        *,
        period_s: float,
        clock: Clock,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runner = runner
        self._pending = pending
        self._period_s = period_s
        self._clock = clock
        self._sleep = sleep
        self._rng = random.Random()  # noqa: S311 # jitter, not a secret

    def run(self) -> Generator[Event]:
        """Yield events without end.

        Raises:
            NotFoundError, NetworkError, DeniedError, Error: the first comparison cannot be made.
                Later failures of the network or of the keys are waited out; a source or bucket
                that goes away ends the watch.
        """
        compared_s = self._clock.monotonic_s()
        with closing(self._runner.run()) as events:
            yield from (event for event in events if not _is_in_flux(event))
        yield Noted("watching for changes; stop with Ctrl-C")
        while True:
            changes = self._pending.take(self._wait_s(compared_s))
            if not changes and self._wait_s(compared_s) > 0:
                continue
            if changes.everything or not changes:
                compared_s = self._clock.monotonic_s()
                changes = Changes(everything=True)
            outage = yield from self._compare(changes)
            if outage is not None:
                yield from self._wait_out(outage)
                compared_s = self._clock.monotonic_s()

    def _wait_s(self, compared_s: float) -> float:
        if not self._period_s:
            return 3600.0
        return max(0.0, compared_s + self._period_s - self._clock.monotonic_s())

    def _compare(self, changes: Changes) -> Generator[Event, None, Error | None]:
        """Compare what changed; return the failure if the peer is away."""
        try:
            with closing(self._runner.run(changes.names)) as events:
                for event in events:
                    if isinstance(event, Failed) and isinstance(event.error, NetworkError):
                        return event.error
                    if not _is_in_flux(event):
                        yield event
        except (NetworkError, DeniedError) as error:
            return error
        except ServiceError as error:
            # It fails by itself, and will perhaps stop to.
            if error.status < _SERVICE_FAILED:
                raise
            return error
        return None

    def _wait_out(self, outage: Error) -> Generator[Event]:
        """Wait with growing pauses until everything could be compared again."""
        for delay_s in _OUTAGE_BACKOFF.delays_s(self._rng):
            yield Noted(f"{outage.message}; trying again in {format_duration(delay_s)}")
            self._sleep(delay_s)
            failure = yield from self._compare(Changes(everything=True))
            if failure is None:
                yield Noted("connected again, everything was compared")
                return
            outage = failure


def _is_in_flux(event: Event) -> bool:
    """Tell whether a file changed while it was read: that change has an event of its own."""
    return isinstance(event, Failed) and isinstance(event.error, SourceChangedError)


def _watcher_error(root: Path, error: BaseException) -> Error:
    code = getattr(error, "errno", None)
    if code == errno.EMFILE:
        return Error(
            f"cannot watch {root}: the system's limit of watchers is reached",
            hint="raise it: sysctl fs.inotify.max_user_instances=1024",
        )
    if code == errno.ENOSPC:
        return Error(
            f"cannot watch {root}: the system's limit of watches is reached",
            hint="raise it: sysctl fs.inotify.max_user_watches=1048576",
        )
    return Error(f"cannot watch {root}: {error}")
