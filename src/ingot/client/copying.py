"""What `cp` copies to where: single contents by name, and whole folders without comparing."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from pathlib import Path

from ingot.base.errors import Error, NotFoundError, UsageError
from ingot.base.progress import Progress
from ingot.client.addresses import Address, LocalAddress, RemoteAddress
from ingot.client.ages import Age
from ingot.client.buckettree import BucketTree
from ingot.client.connections import Connections
from ingot.client.copier import Copier, PairMover
from ingot.client.crew import Advance, Crew, Task, VanishedError
from ingot.client.entries import Entry, Selection, Stamp
from ingot.client.events import Copied, Event, Skipped
from ingot.client.execute import Conduct
from ingot.client.gathering import arrival, arrivals_of, check_all_differ
from ingot.client.given import Given
from ingot.client.leftovers import Leftovers
from ingot.client.localnames import are_apart, describe, printable
from ingot.client.localtree import LocalTree
from ingot.client.mirror import Mirror, Pair
from ingot.client.places import FilePlace, ObjectPlace, Place
from ingot.client.writable import check_bucket_there, check_writable


@dataclass(frozen=True, slots=True)
class SingleCopy:
    """One content to copy, and what is known of it; of `is_new` ones nothing is at the target."""

    source: Place
    target: Place
    entry: Entry
    is_new: bool = False


class CopyJob:
    """Copies what was named, replacing what is there.

    Args:
        connections: to the services.
        copier: moves contents.
        conduct: how.
        progress: is told of objects and bytes.
        age: only what was written then is copied.
    """

    def __init__(
        self,
        connections: Connections,
        copier: Copier,
        conduct: Conduct,
        progress: Progress,
        *,
        age: Age | None = None,
    ) -> None:
        self._connections = connections
        self._copier = copier
        self._conduct = conduct
        self._progress = progress
        self._age = age or Age()

    def singles(
        self, sources: Sequence[Address], target: Address, *, into_folder: bool = False
    ) -> Generator[Event]:
        """Copy files and objects.

        With several sources, or a target that is a folder (a bucket, a name with a slash at its
        end, an existing local folder), each goes into it under its own last name.

        Raises:
            NotFoundError: a source does not exist; or, in a dry run, the target's bucket.
            UsageError: a source is a folder, or two would go to one place.
        """
        self._check_target(target)
        into_folder = into_folder or len(sources) > 1 or target.names_folder
        if isinstance(target, LocalAddress) and not self._conduct.dry_run:
            Leftovers.default().sweep_folder(target.path if into_folder else target.path.parent)
        copies = _single_copies(
            sources,
            target,
            self._connections,
            into_folder=into_folder,
            in_place=self._copier.changes_attributes,
        )
        tasks = (
            Task(shown(copy.source), copy.entry.size_bytes, partial(self._single, copy))
            for copy in copies
            if self._age.admits(copy.entry.modified_ns)
        )
        crew = Crew(self._progress, workers=self._conduct.workers, attempts=self._conduct.attempts)
        with closing(crew.events(tasks)) as events:
            yield from events

    def folders(
        self,
        sources: Sequence[Address],
        target: Address,
        selection: Selection,
        *,
        follow_links: bool,
    ) -> Generator[Event]:
        """Copy folders with all that is below, and files and objects among them.

        An object that has the name of a folder goes along where both can be, which is on S3.

        Raises:
            NotFoundError: a source does not exist.
            UsageError: as `singles`; nothing is copied then.
        """
        self._check_target(target)
        folders = [source for source in sources if _is_folder(source, self._connections)]
        doubles = [source for source in folders if _is_object_too(source, self._connections)]
        is_kept_apart = isinstance(target, LocalAddress)
        singles = [
            source
            for source in sources
            if source not in folders or (source in doubles and not is_kept_apart)
        ]
        goals = [folder_target(source, target) for source in folders]
        pairs = [
            open_pair(
                source,
                goal,
                self._connections,
                self._copier,
                selection=selection,
                follow_links=follow_links,
                leftovers=None if self._conduct.dry_run else Leftovers.default(),
            )
            for source, goal in zip(folders, goals, strict=True)
        ]
        is_shared = len(set(goals)) < len(goals) or (len(sources) > 1 and target in goals)
        if is_shared:
            named = ((goal_of(target, last_name(single)), str(single)) for single in singles)
            brought = (arrivals_of(pair, self._age) for pair in pairs)
            check_all_differ([sorted(starmap(arrival, named)), *brought])
        for pair in pairs:
            mirror = Mirror(pair, self._conduct, remove=False, progress=self._progress)
            with closing(mirror.run_without_comparing(self._age)) as events:
                yield from events
        for source in doubles if is_kept_apart else ():
            yield Skipped(str(source), "is an object beside the folder of this name")
        if singles:
            yield from self.singles(singles, target, into_folder=bool(folders))

    def _check_target(self, target: Address) -> None:
        check_bucket(target)
        check_takes(target, self._copier.given)
        if self._conduct.dry_run:
            check_bucket_there(target, self._connections)

    def _single(self, copy: SingleCopy, advance: Advance) -> list[Event]:
        if self._conduct.dry_run:
            check_writable(copy.target)
        else:
            try:
                self._copier.copy(
                    copy.source, copy.target, copy.entry, advance, replaces=not copy.is_new
                )
            except VanishedError as error:
                # In a folder that is no failure, but this one was named.
                raise NotFoundError(error.message) from error
        return [Copied(shown(copy.source), shown(copy.target), copy.entry.size_bytes)]


def _single_copies(
    sources: Sequence[Address],
    target: Address,
    connections: Connections,
    *,
    into_folder: bool,
    in_place: bool,
) -> list[SingleCopy]:
    copies = []
    taken: dict[Place, str] = {}
    for source in sources:
        place, entry = _examine(source, connections)
        goal = goal_of(target, last_name(source) if into_folder else None)
        if goal in taken:
            raise UsageError(f"{taken[goal]} and {source} would both become {shown(goal)}")
        if goal == place and not in_place:
            raise UsageError(f"{source} and {target} are the same")
        taken[goal] = str(source)
        # One of several may get a name that the file system takes for another's.
        is_new = len(sources) > 1 and isinstance(goal, FilePlace) and not os.path.lexists(goal.path)
        copies.append(SingleCopy(place, goal, entry, is_new))
    return copies


def folder_target(source: Address, target: Address) -> Address:
    """Return the folder that takes what is in `source`.

    As with rsync, a slash at the source's end means its contents, none means the folder itself:
    `cp -r photos local/b` makes `local/b/photos/…`, `cp -r photos/ local/b` makes `local/b/…`.
    """
    is_open = str(source).endswith("/") or (isinstance(source, RemoteAddress) and source.is_open)
    name = "" if is_open else last_name(source)
    if name in ("", ".", ".."):
        return target
    if isinstance(target, RemoteAddress):
        return target.at(f"{target.folder_prefix}{name}/")
    return LocalAddress(str(target.path / name))


def open_pair(
    source: Address,
    target: Address,
    connections: Connections,
    copier: Copier,
    *,
    selection: Selection,
    follow_links: bool,
    leftovers: Leftovers | None = None,
) -> Pair:
    """Open two folders as a pair of trees, and make sure that the source is there.

    Args:
        source: what is copied.
        target: where to.
        connections: to the services.
        copier: moves contents.
        selection: names that do not pass are as if they were not there, on both sides.
        follow_links: take what links of the source lead to.
        leftovers: removes what killed downloads left in the target; None if nothing may change.

    Raises:
        NotFoundError: the source, or the target's bucket, does not exist.
        UsageError: one lies in the other, or one names no bucket.
    """
    check_bucket(source)
    check_bucket(target)
    check_apart(source, target)
    if isinstance(source, LocalAddress):
        other_root = target.path if isinstance(target, LocalAddress) else None
        tree = LocalTree(source.path, selection, follow_links=follow_links, avoid=other_root)
        tree.check()
        if isinstance(target, LocalAddress):
            folder = LocalTree(target.path, selection, may_be_missing=True, leftovers=leftovers)
            return Pair(tree, folder, PairMover(copier, tree, folder))
        goal = BucketTree(connections.client(target.alias), target, selection, against_files=True)
        return Pair(tree, goal, PairMover(copier, tree, goal))
    to_files = isinstance(target, LocalAddress)
    origin = BucketTree(
        connections.client(source.alias),
        source,
        selection,
        against_files=to_files,
        refuse_hostile=to_files,
    )
    origin.check_not_missing()
    if isinstance(target, LocalAddress):
        folder = LocalTree(target.path, selection, may_be_missing=True, leftovers=leftovers)
        return Pair(origin, folder, PairMover(copier, origin, folder))
    other = BucketTree(connections.client(target.alias), target, selection)
    return Pair(origin, other, PairMover(copier, origin, other))


def shown(place: Place) -> str:
    """Return what people call a place."""
    return printable(str(place.path)) if isinstance(place, FilePlace) else str(place.address)


def _is_folder(source: Address, connections: Connections) -> bool:
    if isinstance(source, LocalAddress):
        return os.path.isdir(source.text)
    if source.names_folder:
        return True
    client = connections.client(source.alias)
    return bool(
        client.list_objects_v2(source.bucket, prefix=source.folder_prefix, max_keys=1).entries
    )


def _is_object_too(folder: Address, connections: Connections) -> bool:
    if isinstance(folder, LocalAddress) or folder.names_folder:
        return False
    client = connections.client(folder.alias)
    page = client.list_objects_v2(folder.bucket, prefix=folder.key, max_keys=1)
    # The key itself is the first of those that begin with it.
    return any(entry.key == folder.key for entry in page.entries)


def check_bucket(side: Address) -> None:
    """Make sure that an address names more than a service.

    Raises:
        UsageError: it does not.
    """
    if isinstance(side, RemoteAddress) and not side.bucket:
        raise UsageError(f"{side} names no bucket", hint="write it like ALIAS/BUCKET[/KEY]")


def check_takes(target: Address, given: Given) -> None:
    """Make sure that what is written there can have what it is given.

    Raises:
        UsageError: it would be files, which have nothing of an object.
    """
    if isinstance(target, LocalAddress) and given:
        raise UsageError(
            f"{target} is a file or folder of this machine: it has no object's attributes",
            hint="leave out --attr, --tags, --storage-class, --content-type and those of locks",
        )


def check_apart(source: Address, target: Address) -> None:
    """Make sure that neither of two places lies in the other.

    Raises:
        UsageError: one does.
    """
    if isinstance(source, LocalAddress) and isinstance(target, LocalAddress):
        if not are_apart(source.path, target.path):
            raise UsageError(
                f"{source} and {target} are the same folder, or one lies in the other",
                hint="copy to a place beside the source",
            )
        return
    if not (isinstance(source, RemoteAddress) and isinstance(target, RemoteAddress)):
        return
    # Two aliases may name one service.
    if (source.alias.url, source.bucket) != (target.alias.url, target.bucket):
        return
    one, other = source.folder_prefix, target.folder_prefix
    if one.startswith(other) or other.startswith(one):
        raise UsageError(
            f"{source} and {target} lie in one another", hint="copy to a place beside the source"
        )


def goal_of(target: Address, name: str | None) -> Place:
    """Return the target itself, or the place of a name in it."""
    if isinstance(target, RemoteAddress):
        return ObjectPlace(target if name is None else target.at(target.folder_prefix + name))
    if name is None:
        return FilePlace(target.path.parent, target.path.name)
    return FilePlace(target.path, name)


def last_name(address: Address) -> str:
    """Return the last segment of an address: what it is called in another folder."""
    if isinstance(address, RemoteAddress):
        return posixpath.basename((address.key or address.bucket).rstrip("/"))
    return Path(address.text).name


def _examine(source: Address, connections: Connections) -> tuple[Place, Entry]:
    if isinstance(source, LocalAddress):
        return examine_file(source)
    if source.names_folder:
        raise UsageError(f"{source} is a folder", hint="add --recursive")
    client = connections.client(source.alias)
    try:
        info = client.head_object(source.bucket, source.key)
    except NotFoundError as error:
        page = client.list_objects_v2(source.bucket, prefix=source.folder_prefix, max_keys=1)
        if page.entries:
            raise UsageError(f"{source} is a folder", hint="add --recursive") from error
        raise NotFoundError(f"{source} does not exist") from error
    return ObjectPlace(source), Entry(source.key, info.size_bytes, info.modified_ns, info.etag)


def examine_file(source: LocalAddress) -> tuple[FilePlace, Entry]:
    """Return where a file is, and what is known of it.

    Raises:
        NotFoundError: there is none.
        UsageError: it is no plain file.
    """
    path = source.path
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise NotFoundError(f"{source} does not exist") from error
    except OSError as error:
        raise Error(f"cannot read {source}: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{source} is a folder", hint="add --recursive")
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f"{source} is {describe(status.st_mode)}, not a plain file",
            hint="pipe it in: ingot cp - TARGET < FILE",
        )
    stamp = Stamp.of(status)
    entry = Entry(path.name, stamp.size_bytes, stamp.modified_ns, stamp=stamp)
    return FilePlace(path.parent, path.name), entry
