"""What happens to objects, as it happens: by a service's stream of events, else by comparing.

Comparing keeps the names of all objects in memory, and sees of several changes of one object
between two looks only the last.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import NamedTuple

from ingot.base.errors import NetworkError
from ingot.base.retry import Backoff
from ingot.client.addresses import RemoteAddress
from ingot.s3.dates import format_iso8601
from ingot.s3client.client import S3Client
from ingot.s3client.errors import ServiceError
from ingot.s3client.listen import BucketEvent, NoStreamError

CREATED_EVENT = "s3:ObjectCreated:Put"
REMOVED_EVENT = "s3:ObjectRemoved:Delete"
_RECONNECT = Backoff(attempts=1_000_000, first_s=0.5, limit_s=30.0)


class Seen(NamedTuple):
    """What one look saw of an object."""

    etag: str
    modified_ns: int
    size_bytes: int


class Wish(NamedTuple):
    """Which events are wanted: of these kinds, of keys that begin and end so."""

    events: tuple[str, ...]
    prefix: str = ""
    suffix: str = ""

    def admits(self, name: str, key: str) -> bool:
        """Tell whether an event that was found by comparing is wanted."""
        kinds = {name, f"{name.rpartition(':')[0]}:*"}
        return (
            bool(kinds.intersection(self.events))
            and key.startswith(self.prefix)
            and key.endswith(self.suffix)
        )


Look = Mapping[tuple[str, str], Seen]


def changes(before: Look, now: Look, when_ns: int) -> Iterator[BucketEvent]:
    """Yield what must have happened between two looks, by bucket and key; pure."""
    for place in sorted(before.keys() | now.keys()):
        seen = now.get(place)
        if seen == before.get(place):
            continue
        bucket, key = place
        if seen is None:
            yield BucketEvent(REMOVED_EVENT, bucket, key, format_iso8601(when_ns))
        else:
            yield BucketEvent(
                CREATED_EVENT,
                bucket,
                key,
                format_iso8601(seen.modified_ns),
                seen.size_bytes,
                seen.etag,
            )


def observe(
    client: S3Client,
    address: RemoteAddress,
    wish: Wish,
    *,
    interval_s: float,
    note: Callable[[str], None],
    listener: S3Client | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Generator[BucketEvent]:
    """Yield what happens below an address from now on, for ever.

    Args:
        client: the service.
        address: an alias, a bucket or a folder.
        wish: which events.
        interval_s: how often everything is compared, where there is no stream.
        note: told how it goes.
        listener: another client of the service, for streams; None for the same.
        ready: called once nothing is missed any more.

    Raises:
        NotFoundError, DeniedError: the service refused.
        NetworkError: it is not there when we begin; later outages are waited out.
    """
    try:
        yield from _streamed(listener or client, address, wish, note, ready)
    except (NoStreamError, ServiceError) as error:
        if isinstance(error, ServiceError) and error.status in {401, 403, 404}:
            raise
        note(f"no stream of events; comparing every {interval_s:g} s")
        yield from _polled(client, address, wish, interval_s=interval_s, note=note, ready=ready)


def _streamed(
    client: S3Client,
    address: RemoteAddress,
    wish: Wish,
    note: Callable[[str], None],
    ready: Callable[[], None],
) -> Generator[BucketEvent]:
    rng = random.Random()  # noqa: S311 # jitter, not a secret
    delays_s = _RECONNECT.delays_s(rng)
    was_open = is_away = False
    while True:
        stream = client.listen_bucket_notification(
            address.bucket,
            prefix=address.key + wish.prefix,
            suffix=wish.suffix,
            events=wish.events,
        )
        try:
            for events in stream:
                if not was_open:
                    ready()
                if is_away or not was_open:
                    was_open, is_away = True, False
                    note(f"watching {address}")
                delays_s = _RECONNECT.delays_s(rng)
                yield from (_named(event) for event in events)
        except NoStreamError:
            raise
        except NetworkError as error:
            if not was_open:
                raise
            if not is_away:
                note(f"{error.message}; what happens until it is there again is not seen")
            is_away = True
            time.sleep(next(delays_s))


def _named(event: BucketEvent) -> BucketEvent:
    """Name an event in full: Amazon's records leave out what it begins with."""
    return event if event.name.startswith("s3:") else event._replace(name=f"s3:{event.name}")


def _polled(
    client: S3Client,
    address: RemoteAddress,
    wish: Wish,
    *,
    interval_s: float,
    note: Callable[[str], None],
    ready: Callable[[], None],
) -> Generator[BucketEvent]:
    full = wish._replace(prefix=address.key + wish.prefix)
    before = _look(client, address, full)
    ready()
    note(f"watching {address}")
    is_away = False
    while True:
        time.sleep(interval_s)
        try:
            now = _look(client, address, full)
        except NetworkError as error:
            if not is_away:
                note(f"{error.message}; what happens until it is there again is told then")
            is_away = True
            continue
        is_away = False
        for event in changes(before, now, time.time_ns()):
            if full.admits(event.name, event.key):
                yield event
        before = now


def _look(client: S3Client, address: RemoteAddress, wish: Wish) -> dict[tuple[str, str], Seen]:
    buckets = [address.bucket] if address.bucket else [b.name for b in client.list_buckets()]
    return {
        (bucket, entry.key): Seen(entry.etag, entry.modified_ns, entry.size_bytes)
        for bucket in buckets
        for entry in client.iterate_objects(bucket, prefix=wish.prefix)
        if entry.key.endswith(wish.suffix)
    }
