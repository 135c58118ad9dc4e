"""Mirrors all buckets of a service: each goes to one of its own name, which is made if need be."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing

from ingot.base.errors import Error, NetworkError, NotFoundError
from ingot.client.addresses import Address, LocalAddress, RemoteAddress
from ingot.client.connections import Connections
from ingot.client.events import Event, Failed, Noted
from ingot.client.localnames import tree_name_problem
from ingot.client.mirror import Mirror
from ingot.s3client.client import S3Client
from ingot.s3client.listen import BucketEvent

Opened = Callable[[RemoteAddress, Address], Mirror]


class ServiceMirror:
    """Makes what a target has like all buckets of a service; nothing happens to other buckets.

    Args:
        connections: to the services.
        origin: the service, without a bucket.
        goal: a service, a bucket, a folder of one, or a local folder.
        opened: opens the mirror of one bucket.
        excluded: patterns of buckets that are left out.
        region: where missing buckets are made.
        refuses_emptying: a bucket that is empty at first does not empty its target.
        dry_run: make no bucket.
        ends_with_network: a failure of the network ends a run; else only that of its bucket.
    """

    def __init__(
        self,
        connections: Connections,
        origin: RemoteAddress,
        goal: Address,
        opened: Opened,
        *,
        excluded: Sequence[str],
        region: str | None,
        refuses_emptying: bool,
        dry_run: bool,
        ends_with_network: bool,
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._goal = goal
        self._excluded = excluded
        self._region = region
        self._opened = opened
        self._refuses_emptying = refuses_emptying
        self._dry_run = dry_run
        self._ends_with_network = ends_with_network
        self._known: set[str] = set()
        self._failing: set[str] = set()

    def run(self, names: Sequence[str] = ()) -> Generator[Event]:
        """Mirror one bucket after the other; one that cannot be is reported, the rest goes on.

        Args:
            names: only these, as `bucket/key`, and what is below them; all if empty.

        Raises:
            Error: the service's buckets cannot be listed.
            NetworkError: if that ends a run.
        """
        if not names:
            self._failing.clear()
            for bucket in self._connections.client(self._origin.alias).list_buckets():
                if self._takes(bucket.name):
                    yield from self._bucket(bucket.name, ())
            return
        below: dict[str, list[str]] = {}
        for name in names:
            bucket_name, _, key = name.partition("/")
            below.setdefault(bucket_name, []).append(key)
        for bucket_name, keys in below.items():
            # What cannot be mirrored at all was told, and is told again by the next comparison.
            if bucket_name not in self._failing:
                # A bucket that is new may have a target of its name with anything in it.
                yield from self._bucket(bucket_name, keys if bucket_name in self._known else ())

    def name_of(self, event: BucketEvent) -> str | None:
        """Return `bucket/key`; None if the bucket is left out."""
        return f"{event.bucket}/{event.key}" if self._takes(event.bucket) else None

    def events(self, listener: S3Client) -> Iterator[tuple[BucketEvent, ...]]:
        """Yield what happens in all buckets; see `S3Client.listen_bucket_notification`."""
        return listener.listen_bucket_notification("")

    def _takes(self, bucket: str) -> bool:
        return not any(fnmatch.fnmatchcase(bucket, pattern) for pattern in self._excluded)

    def _bucket(self, name: str, keys: Sequence[str]) -> Generator[Event]:
        source = RemoteAddress(self._origin.alias, name)
        try:
            target = self._target(name)
            mirror = self._opened(source, target)
            if self._is_missing(target):
                yield Noted(f"{target} is not there yet")
                if self._dry_run:
                    yield from mirror.run_into_nothing()
                    return
                self._make(target)
            if self._refuses_emptying and name not in self._known:
                mirror.refuse_emptying()
            self._known.add(name)
            with closing(mirror.run(keys)) as events:
                yield from events
        except NotFoundError as error:
            if not keys:
                yield from self._failed(source, error)
                return
            # It was removed since; its target stays.
            self._known.discard(name)
            yield Noted(f"{error.message}; what was mirrored of it stays")
        except NetworkError as error:
            if self._ends_with_network:
                raise
            yield Failed(str(source), error)
        except Error as error:
            yield from self._failed(source, error)

    def _failed(self, source: RemoteAddress, error: Error) -> Generator[Event]:
        self._failing.add(source.bucket)
        yield Failed(str(source), error)

    def _target(self, name: str) -> Address:
        # A service that lists `../x` or `/x` would have us write there.
        if "/" in name or tree_name_problem(name):
            raise Error(f"{name!r} is no name of a bucket")
        goal = self._goal
        if isinstance(goal, LocalAddress):
            return LocalAddress(str(goal.path / name))
        if goal.bucket:
            return goal.at(f"{goal.folder_prefix}{name}/")
        return RemoteAddress(goal.alias, name)

    def _is_missing(self, target: Address) -> bool:
        if isinstance(target, LocalAddress) or target.key:
            return False
        try:
            self._connections.client(target.alias).head_bucket(target.bucket)
        except NotFoundError:
            return True
        return False

    def _make(self, target: Address) -> None:
        assert isinstance(target, RemoteAddress), "local folders are made as they are needed"
        client = self._connections.client(target.alias)
        client.create_bucket(target.bucket, region=self._region)
