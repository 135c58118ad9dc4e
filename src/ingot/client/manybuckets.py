"""Mirrors all buckets of a service: each goes to one of its own name, which is made if need be."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

from ingot.base.errors import Error, NotFoundError
from ingot.client.addresses import Address, LocalAddress, RemoteAddress
from ingot.client.connections import Connections
from ingot.client.events import Event, Failed, Noted
from ingot.client.localnames import tree_name_problem
from ingot.client.mirror import Mirror

Opened = Callable[[RemoteAddress, Address], Mirror]


class ServiceMirror:
    """Makes what a target has like all buckets of a service; nothing happens to other buckets.

    Args:
        connections: to the services.
        origin: the service, without a bucket.
        goal: a service, a bucket, a folder of one, or a local folder.
        excluded: patterns of buckets that are left out.
        region: where missing buckets are made.
    """

    def __init__(
        self,
        connections: Connections,
        origin: RemoteAddress,
        goal: Address,
        *,
        excluded: Sequence[str],
        region: str | None,
    ) -> None:
        self._connections = connections
        self._origin = origin
        self._goal = goal
        self._excluded = excluded
        self._region = region

    def run(self, opened: Opened, *, remove: bool, dry_run: bool) -> Generator[Event]:
        """Mirror one bucket after the other; one that cannot be is reported, the rest goes on.

        Args:
            opened: opens the mirror of one bucket.
            remove: what only targets have is deleted, except where a source is empty.
            dry_run: make no bucket.

        Raises:
            Error: the service's buckets cannot be listed.
        """
        for bucket in self._connections.client(self._origin.alias).list_buckets():
            if any(fnmatch.fnmatchcase(bucket.name, pattern) for pattern in self._excluded):
                continue
            source = RemoteAddress(self._origin.alias, bucket.name)
            try:
                target = self._target(bucket.name)
                if self._is_missing(target):
                    yield Noted(f"{target} is not there yet")
                    if dry_run:
                        continue
                    self._make(target)
                mirror = opened(source, target)
                if remove:
                    mirror.refuse_emptying()
                with closing(mirror.run()) as events:
                    yield from events
            except Error as error:
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
