"""Carries all versions of objects from bucket to bucket, oldest first, deletions among them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.progress import Progress
from ingot.client.addresses import RemoteAddress
from ingot.client.buckettree import BucketTree
from ingot.client.comparison import told_by_checksums
from ingot.client.connections import Connections
from ingot.client.copying import check_apart, check_bucket
from ingot.client.crew import Advance, VanishedError
from ingot.client.entries import Entry, Selection
from ingot.client.events import Event
from ingot.client.execute import Conduct, Executor
from ingot.client.plan import Copy, Remove, Same, Step
from ingot.client.versions import by_key
from ingot.s3 import checksums
from ingot.s3.documents.listing import VersionEntry
from ingot.s3client.errors import ServiceError
from ingot.s3client.results import ObjectInfo

_ENABLED = "Enabled"
_SUMMED_WITH = "CRC32C"


class History(Entry, frozen=True):
    """One object through time.

    Attributes:
        versions: oldest first.
    """

    versions: tuple[VersionEntry, ...] = ()


IsSame = Callable[[VersionEntry, VersionEntry], bool]


def missing(
    source: Sequence[VersionEntry], target: Sequence[VersionEntry], is_same: IsSame
) -> Sequence[VersionEntry]:
    """Return what must follow the target's history so that it ends as the source's; pure.

    Versions cannot be put between others, so what the target ends with is looked for at the
    source's beginning: the source may have lost old versions meanwhile, the target never gets any
    but at its end.

    Args:
        source: oldest first.
        target: oldest first.
        is_same: tells whether two versions are alike.
    """
    for count in range(min(len(source), len(target)), 0, -1):
        ending = target[len(target) - count :]
        if all(is_same(one, other) for one, other in zip(source, ending, strict=False)):
            return source[count:]
    return source


class HistoryMirror:
    """Makes the histories of a prefix end like those of another.

    Raises:
        UsageError: a side names no bucket, or one lies in the other.

    Args:
        connections: to the services.
        source: bucket and prefix.
        target: bucket and prefix; the bucket must keep versions.
        selection: which names take part.
    """

    def __init__(
        self,
        connections: Connections,
        source: RemoteAddress,
        target: RemoteAddress,
        selection: Selection,
    ) -> None:
        check_bucket(source)
        check_bucket(target)
        check_apart(source, target)
        self._connections = connections
        self._source = source
        self._target = target
        self._selection = selection
        # How many versions of an object were carried by an attempt that failed behind them.
        self._carried: dict[str, int] = {}
        self._trees = (
            BucketTree(connections.client(source.alias), source, selection),
            BucketTree(connections.client(target.alias), target, selection),
        )

    def run(self, conduct: Conduct, progress: Progress, *, remove: bool) -> Generator[Event]:
        """Compare and copy, yielding what happens as it happens.

        Args:
            conduct: how; `overwrite` is not looked at, since nothing is lost.
            progress: is told of objects and bytes.
            remove: put a delete marker on what the source has no version of.

        Raises:
            NotFoundError: a bucket does not exist, or nothing is below the source.
            UsageError: the target's bucket does not keep versions.
            Error: a service refused or went away.
        """
        origin, goal = self._trees
        origin.check()
        goal.check()
        if next(self._histories(self._source), None) is None:
            raise NotFoundError(f"there is nothing below {origin.label('')}")
        client = self._connections.client(self._target.alias)
        if client.get_bucket_versioning(self._target.bucket) != _ENABLED:
            name = f"{self._target.alias.name}/{self._target.bucket}"
            raise UsageError(
                f"{name} does not keep versions", hint=f"let it: ingot version enable {name}"
            )
        executor = Executor(origin, goal, self, conduct)
        with closing(executor.events(self._steps(remove=remove), progress)) as events:
            yield from events

    def is_brief(self, source: Entry) -> bool:
        """Tell whether a copy is a message and an answer: no history's is."""
        return False

    def begin_copy(self, source: Entry, advance: Advance, *, replaces: bool) -> Callable[[], None]:
        """Return what copies."""
        return partial(self.copy, source, advance, replaces=replaces)

    def copy(self, source: Entry, advance: Advance, *, replaces: bool) -> None:
        """Carry over the versions of a history, one after the other."""
        assert isinstance(source, History)
        goal = self._target.at(self._target.folder_prefix + source.name)
        gone: NotFoundError | None = None
        has_carried = False
        for index, version in enumerate(source.versions):
            if index < self._carried.get(source.name, 0):
                # By an attempt that failed later: once more, and the target would have it twice.
                advance(version.size_bytes)
                has_carried = True
                continue
            try:
                self._carry(version, goal, advance)
                has_carried = True
            except NotFoundError as error:
                if isinstance(error, ServiceError) and error.code == "NoSuchBucket":
                    raise
                # One that expired since it was listed; those behind it are wanted no less.
                gone = error
            self._carried[source.name] = index + 1
        self._carried.pop(source.name, None)
        if gone is not None and not has_carried:
            raise VanishedError(gone.message) from gone

    def known_same(self, pairs: Sequence[tuple[Entry, Entry]]) -> list[bool]:
        """Nothing is left to compare: the steps have done so."""
        return [False] * len(pairs)

    def is_same(self, source: Entry, target: Entry) -> bool:
        """Nothing is left to compare: the steps have done so."""
        return False

    def _carry(self, version: VersionEntry, goal: RemoteAddress, advance: Advance) -> None:
        origin = self._source
        transfers = self._connections.transfers(goal.alias)
        if version.is_delete_marker:
            self._connections.client(goal.alias).delete_object(goal.bucket, goal.key)
        elif origin.alias == goal.alias:
            transfers.copy_object(
                *(origin.bucket, version.key, goal.bucket, goal.key),
                advance=advance,
                source_version_id=version.version_id,
            )
        else:
            transfers.upload_object(
                self._connections.client(origin.alias),
                *(origin.bucket, version.key, goal.bucket, goal.key),
                advance=advance,
                source_version_id=version.version_id,
            )

    def _steps(self, *, remove: bool) -> Iterator[Step]:
        wanted, present = self._histories(self._source), self._histories(self._target)
        left, right = next(wanted, None), next(present, None)
        while left is not None or right is not None:
            if right is None or (left is not None and left.name < right.name):
                assert left is not None
                yield Copy(left, None)
                left = next(wanted, None)
            elif left is None or right.name < left.name:
                if remove and not right.versions[-1].is_delete_marker:
                    yield Remove(right)
                right = next(present, None)
            else:
                yield self._step(left, right)
                left, right = next(wanted, None), next(present, None)

    def _step(self, left: History, right: History) -> Step:
        infos: dict[tuple[RemoteAddress, str], ObjectInfo] = {}
        is_same = partial(self._are_same, infos)
        versions = tuple(missing(left.versions, right.versions, is_same))
        return Copy(_history(left.name, versions), None) if versions else Same(left)

    def _histories(self, folder: RemoteAddress) -> Iterator[History]:
        client = self._connections.client(folder.alias)
        prefix = folder.folder_prefix
        last = ""
        for versions in by_key(client.iterate_versions(folder.bucket, prefix=prefix)):
            name = versions[0].key[len(prefix) :]
            if name < last:
                raise Error(f"{folder} lists its versions out of order: {name!r} after {last!r}")
            last = name
            if self._selection.admits(name):
                yield _history(name, tuple(reversed(versions)))

    def _are_same(
        self,
        infos: dict[tuple[RemoteAddress, str], ObjectInfo],
        source: VersionEntry,
        target: VersionEntry,
    ) -> bool:
        if source.is_delete_marker or target.is_delete_marker:
            return source.is_delete_marker and target.is_delete_marker
        if source.size_bytes != target.size_bytes:
            return False
        if source.etag == target.etag or not source.size_bytes:
            return True
        # Encrypted, or cut into other parts, perhaps: then only the bytes or a checksum of them
        # can tell. No listing says so.
        sides = ((self._source, source), (self._target, target))
        for side, version in sides:
            if (side, version.version_id) not in infos:
                infos[side, version.version_id] = self._connections.client(side.alias).head_object(
                    side.bucket, version.key, version_id=version.version_id
                )
        first, second = (infos[side, version.version_id] for side, version in sides)
        if first.etag_is_md5 and second.etag_is_md5:
            return False
        told = told_by_checksums(first.checksum, second.checksum)
        if told is not None:
            return told
        sums = [self._sum(side, version) for side, version in sides]
        return sums[0] == sums[1]

    def _sum(self, side: RemoteAddress, version: VersionEntry) -> bytes:
        total = checksums.new(_SUMMED_WITH)
        client = self._connections.client(side.alias)
        with client.get_object(side.bucket, version.key, version_id=version.version_id) as stream:
            for piece in stream:
                total.update(piece)
        return total.digest()


def _history(name: str, versions: tuple[VersionEntry, ...]) -> History:
    latest = versions[-1]
    size_bytes = sum(version.size_bytes for version in versions)
    return History(name, size_bytes, latest.modified_ns, latest.etag, versions=versions)
