"""Where `find` looks: below an address of a service or below a folder, now and from now on."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.limits import CLOCK_SKEW_S
from ingot.client.addresses import RemoteAddress
from ingot.client.connections import Connections
from ingot.client.entries import Entry, Listed, Selection, Stamp
from ingot.client.events import Event, Failed, Skipped
from ingot.client.listing import Line, LineVersion, list_address
from ingot.client.localtree import LocalTree
from ingot.client.observing import Wish, observe
from ingot.client.pastlisting import list_versions, named
from ingot.client.watch import RESCAN_PERIOD_S_DEFAULT, FolderWatcher, PendingChanges
from ingot.s3.dates import NS_PER_S, parse_iso8601
from ingot.s3client.listen import CREATED, BucketEvent

# Links are good for as long as a signature can be.
_LINK_S = 7 * 24 * 3600
# Events that wait while what is there already is shown; beyond that the service waits.
_ARRIVALS_MAX = 100_000


class Found(NamedTuple):
    """Something that was found, and what people call it."""

    line: Line
    address: str


class Finder(Protocol):
    """A place to look at."""

    def present(self) -> Iterator[Found | Event]:
        """Yield what is there, by name, and what could not be looked at.

        Raises:
            Error: the place is not there, or cannot be read.
        """
        ...

    def watched(
        self, interval_s: float, note: Callable[[str], None]
    ) -> AbstractContextManager[Iterator[Found | Event]]:
        """Begin to watch, so that nothing is missed that comes after `present` was begun.

        Args:
            interval_s: how often to compare, where nobody tells.
            note: told how it goes.

        Returns:
            What comes, without end, once `present` was consumed; nothing that it yielded.

        Raises:
            Error: the place cannot be watched.
        """
        ...

    def link(self, line: Line) -> str:
        """Return a URL by which anybody may read what was found, for a week.

        Raises:
            UsageError: this place has none.
        """
        ...


class BucketFinder:
    """Objects below an address.

    Args:
        connections: to the service.
        root: an alias, a bucket, a folder or an object.
        versions: all versions and delete markers, not only what is current.
    """

    def __init__(
        self, connections: Connections, root: RemoteAddress, *, versions: bool = False
    ) -> None:
        self._connections = connections
        self._root = root
        self._versions = versions
        self._began_ns = 0
        # What was shown and is so new that an event may tell of it again.
        self._recent: set[tuple[str, str]] = set()

    def present(self) -> Iterator[Found]:
        """Yield objects, or versions, by name."""
        for line in self._lines():
            if self._began_ns and line.modified_ns > self._began_ns - CLOCK_SKEW_S * NS_PER_S:
                self._recent.add((line.path, line.etag))
            yield self._found(line)

    @contextmanager
    def watched(self, interval_s: float, note: Callable[[str], None]) -> Iterator[Iterator[Found]]:
        """Listen to the service's stream of events, else compare from time to time."""
        self._began_ns = time.time_ns()
        arrivals: queue.Queue[BucketEvent | Error | None] = queue.Queue(_ARRIVALS_MAX)
        threading.Thread(
            target=self._listen, args=(arrivals, interval_s, note), name="finder", daemon=True
        ).start()
        # The first is a sign that the watch stands, or why it does not.
        self._event(arrivals)
        yield self._arriving(arrivals)

    def link(self, line: Line) -> str:
        """Return a presigned URL."""
        bucket, _, key = line.path.partition("/")
        query = (("versionId", line.version.id),) if line.version else ()
        client = self._connections.client(self._root.alias)
        return client.presigned_url("GET", bucket, key, expires_s=_LINK_S, query=query)

    def _lines(self) -> Iterator[Line]:
        try:
            yield from self._history() if self._versions else self._current()
        except NotFoundError:
            # A folder that is watched may come later; its bucket is there, else nobody watches.
            if not (self._began_ns and self._root.key):
                raise

    def _history(self) -> Iterator[Line]:
        if self._root.bucket:
            yield from list_versions(self._connections, self._root, recursive=True)
            return
        for bucket in self._connections.client(self._root.alias).list_buckets():
            inner = RemoteAddress(self._root.alias, bucket.name)
            yield from list_versions(self._connections, inner, recursive=True)

    def _current(self) -> Iterator[Line]:
        lines = list_address(self._connections, self._root, recursive=True)
        return (line for line in lines if not line.is_folder)

    def _found(self, line: Line) -> Found:
        return Found(line, f"{self._root.alias.name}/{line.path}")

    def _listen(
        self,
        arrivals: queue.Queue[BucketEvent | Error | None],
        interval_s: float,
        note: Callable[[str], None],
    ) -> None:
        client = self._connections.client(self._root.alias)
        try:
            for event in observe(
                client,
                self._root,
                Wish((CREATED,)),
                interval_s=interval_s,
                note=note,
                listener=self._connections.listener(self._root.alias),
                ready=lambda: arrivals.put(None),
            ):
                arrivals.put(event)
        except Error as error:
            arrivals.put(error)

    def _arriving(self, arrivals: queue.Queue[BucketEvent | Error | None]) -> Iterator[Found]:
        while True:
            event = self._event(arrivals)
            if event is None or not self._is_ours(event):
                continue
            line = self._line(event)
            if (line.path, line.etag) in self._recent:
                self._recent.discard((line.path, line.etag))
                continue
            yield self._found(line)

    def _event(self, arrivals: queue.Queue[BucketEvent | Error | None]) -> BucketEvent | None:
        event = arrivals.get()
        if isinstance(event, Error):
            raise event
        return event

    def _is_ours(self, event: BucketEvent) -> bool:
        key = self._root.key
        return not key or event.key == key or event.key.startswith(self._root.folder_prefix)

    def _line(self, event: BucketEvent) -> Line:
        if self._root.bucket:
            name, base = named(self._root, event.key)
        else:
            name, base = f"{event.bucket}/{event.key}", ""
        version = LineVersion(event.version_id, 0, True, False) if event.version_id else None
        return Line(
            name,
            base=base,
            size_bytes=event.size_bytes or 0,
            modified_ns=_moment(event.time),
            etag=(event.etag or "").strip('"'),
            version=version,
        )


class FolderFinder:
    """Files below a folder, or one file. Links are not followed.

    Args:
        root: where.
        selection: which names.
    """

    def __init__(self, root: Path, selection: Selection) -> None:
        self._below = root.name if root.is_file() else ""
        self._tree = LocalTree(root.parent if self._below else root, selection)
        self._is_watched = False
        # What files looked like when they were shown, while they are watched.
        self._shown: dict[str, Stamp | None] = {}

    def present(self) -> Iterator[Found | Event]:
        """Yield files by name."""
        for item in self._tree.entries(self._below):
            if isinstance(item, Entry) and self._is_watched:
                self._shown[item.name] = item.stamp
            yield self._told(item)

    @contextmanager
    def watched(
        self, interval_s: float, note: Callable[[str], None]
    ) -> Iterator[Iterator[Found | Event]]:
        """Let the system tell of changes."""
        del interval_s
        pending = PendingChanges()
        self._is_watched = True
        self._tree.check()
        with FolderWatcher(self._tree.root, pending, self._concerns):
            note(f"watching {self._tree.label(self._below)}")
            yield self._arriving(pending)

    def link(self, line: Line) -> str:
        """Refuse.

        Raises:
            UsageError: files have no links.
        """
        raise UsageError(f"{line.name} is a file of this machine: {{url}} is for objects")

    def _concerns(self, name: str) -> bool:
        return (not self._below or name == self._below) and self._tree.concerns(name)

    def _arriving(self, pending: PendingChanges) -> Iterator[Found | Event]:
        while True:
            changes = pending.take(RESCAN_PERIOD_S_DEFAULT)
            for name in changes.names or (self._below,):
                for item in self._tree.entries(name):
                    if not isinstance(item, Entry):
                        yield self._told(item)
                    elif self._shown.get(item.name) != item.stamp:
                        self._shown[item.name] = item.stamp
                        yield self._told(item)

    def _told(self, item: Listed) -> Found | Event:
        label = self._tree.label(item.name)
        if isinstance(item, Entry):
            line = Line(item.name, size_bytes=item.size_bytes, modified_ns=item.modified_ns)
            return Found(line, label)
        if item.is_failure:
            return Failed(label, Error(f"{label} {item.reason}"))
        return Skipped(label, item.reason)


def _moment(text: str) -> int:
    try:
        return parse_iso8601(text)
    except ValueError:
        return time.time_ns()
