"""What `cp` copies of the past: one version of an object, or what a folder held at a moment."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

from ingot.base.errors import UsageError
from ingot.base.progress import Progress
from ingot.client.addresses import Address, LocalAddress, RemoteAddress
from ingot.client.connections import Connections
from ingot.client.copier import Copier
from ingot.client.copying import check_bucket, folder_target, goal_of, last_name, shown
from ingot.client.crew import Advance, Crew, Task
from ingot.client.entries import Entry, Selection
from ingot.client.events import Copied, Event, Failed
from ingot.client.execute import Conduct
from ingot.client.localnames import key_problem, tree_name_problem
from ingot.client.places import FilePlace, ObjectPlace, Place
from ingot.client.pool import Done
from ingot.client.versions import Choice, Chosen, chosen
from ingot.client.writable import check_bucket_there, check_writable


class PastCopyJob:
    """Copies versions, replacing what is there.

    Args:
        connections: to the services.
        copier: moves contents.
        conduct: how.
        progress: is told of objects and bytes.
    """

    def __init__(
        self, connections: Connections, copier: Copier, conduct: Conduct, progress: Progress
    ) -> None:
        self._connections = connections
        self._copier = copier
        self._conduct = conduct
        self._progress = progress

    def events(
        self, sources: Sequence[Address], target: Address, choice: Choice, selection: Selection
    ) -> Generator[Event]:
        """Copy what the choice means of each source.

        Raises:
            NotFoundError: a source was not there.
            UsageError: a source is a local file, or names no bucket; or two would go to one place.
        """
        check_bucket(target)
        if self._conduct.dry_run:
            check_bucket_there(target, self._connections)
        crew = Crew(self._progress, workers=self._conduct.workers, attempts=self._conduct.attempts)
        with closing(crew.events(self._tasks(sources, target, choice, selection))) as events:
            yield from events

    def _tasks(
        self, sources: Sequence[Address], target: Address, choice: Choice, selection: Selection
    ) -> Iterator[Task | Done[list[Event]]]:
        into_folder = len(sources) > 1 or target.names_folder
        taken: dict[Place, Chosen] = {}
        for source in sources:
            if not isinstance(source, RemoteAddress):
                raise UsageError(f"{source} is a local file, which has no versions")
            check_bucket(source)
            client = self._connections.client(source.alias)
            for item in chosen(client, source, choice):
                if choice.recursive and item.address.key != source.key:
                    name = item.address.key[len(source.folder_prefix) :]
                    goal = _below(folder_target(source, target), name)
                else:
                    name = last_name(item.address)
                    goal = goal_of(target, name if into_folder or choice.recursive else None)
                    if goal in taken:
                        raise UsageError(
                            f"{taken[goal]} and {item} would both become {shown(goal)}"
                        )
                    taken[goal] = item
                if selection.admits(name):
                    yield self._task(item, goal, name)

    def _task(self, item: Chosen, goal: Place, name: str) -> Task | Done[list[Event]]:
        label = str(item)
        if isinstance(goal, FilePlace):
            problem = tree_name_problem(name)
        else:
            problem = key_problem(goal.address.key, "")
        if problem:
            error = UsageError(f"{label}: {problem}")
            return Done([Failed(label, error)])
        return Task(label, item.size_bytes, partial(self._copy, item, goal))

    def _copy(self, item: Chosen, goal: Place, advance: Advance) -> list[Event]:
        source = ObjectPlace(item.address, item.version_id)
        info = self._copier.info(source)
        if self._conduct.dry_run:
            check_writable(goal)
        else:
            entry = Entry(item.address.key, info.size_bytes, info.modified_ns, info.etag)
            self._copier.copy(source, goal, entry, advance)
        return [Copied(str(item), shown(goal), info.size_bytes)]


def _below(folder: Address, name: str) -> Place:
    if isinstance(folder, LocalAddress):
        return FilePlace(folder.path, name)
    return ObjectPlace(folder.at(folder.folder_prefix + name))
