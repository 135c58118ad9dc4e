"""`ingot mirror`: make one tree like another, and keep it so."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING, TypedDict, Unpack

import click

from ingot.cli._completion import complete_address
from ingot.cli._habits import always
from ingot.cli._objects import Reporter, transfer_options
from ingot.cli._writing import writing_options
from ingot.cli.objects._given import given_options
from ingot.cli.printer import Printer, output_options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ingot.base.progress import Progress
    from ingot.client.addresses import Address
    from ingot.client.connections import Connections
    from ingot.client.events import Event
    from ingot.client.execute import Conduct
    from ingot.client.given import Given
    from ingot.client.manybuckets import ServiceMirror
    from ingot.client.mirror import Pair
    from ingot.client.trees import Tree
    from ingot.client.watch import PendingChanges


class Wishes(TypedDict):
    """What the command line asks for; the options' help says what each means."""

    source: str
    target: str
    overwrite: bool
    remove: bool
    watch: bool
    interval: str
    rescan: str
    allow_empty_source: bool
    max_remove: str
    monitoring_address: str | None
    versions: bool
    reread: bool
    exclude: tuple[str, ...]
    include: tuple[str, ...]
    follow_symlinks: bool
    preserve: bool
    dry_run: bool
    attempts: int
    workers: int
    older_than: str | None
    newer_than: str | None
    exclude_storageclass: tuple[str, ...]
    exclude_bucket: tuple[str, ...]
    region: str | None
    active_active: bool
    attributes: str | None
    tags: str | None
    storage_class: str | None
    content_type: str | None
    retention_mode: str | None
    retention_duration: str | None
    legal_hold: str | None


@click.command()
@click.argument("source", shell_complete=complete_address)
@click.argument("target", shell_complete=complete_address)
@click.option("--overwrite", is_flag=True, help="Replace what differs; else it is a failure.")
@click.option("--remove", is_flag=True, help="Delete what only the target has.")
@click.option("--watch", "-w", is_flag=True, help="Go on, and carry over every change.")
@click.option(
    "--interval",
    default="10s",
    show_default=True,
    metavar="DURATION",
    help="With --watch on an S3 source without a stream of events: how often it is compared.",
)
@click.option(
    "--rescan",
    default="10m",
    show_default=True,
    metavar="DURATION",
    help="With --watch: how often everything is compared anyway; 0 for never.",
)
@click.option(
    "--allow-empty-source", is_flag=True, help="Let --remove empty the target of an empty source."
)
@click.option(
    "--max-remove",
    default="50%",
    show_default=True,
    metavar="N|N%",
    help="With --remove: if more names would go, delete none and fail.",
)
@click.option(
    "--versions", is_flag=True, help="Between buckets: carry all versions over, not only the last."
)
@click.option(
    "--reread", is_flag=True, help="Read all files, also those that were not touched since."
)
@click.option(
    "--monitoring-address",
    metavar="HOST:PORT",
    help="Tell Prometheus what was done so far; :PORT is on loopback.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="PATTERN",
    help="Take only names that match one of these (and no --exclude).",
)
@click.option("--older-than", metavar="DURATION", help="Copy only what was written longer ago.")
@click.option("--newer-than", metavar="DURATION", help="Copy only what was written since then.")
@click.option(
    "--exclude-storageclass", multiple=True, metavar="CLASS", help="Do not copy such objects."
)
@click.option(
    "--exclude-bucket", multiple=True, metavar="PATTERN", help="Of a whole service: not these."
)
@click.option("--region", help="Of a whole service: where missing buckets are made.")
@click.option(
    "--active-active",
    is_flag=True,
    help="As --watch --overwrite, beside one that mirrors the other way.",
)
@always("--skip-errors")
@always("--summary")
@transfer_options
@given_options
@writing_options
@output_options
def mirror(printer: Printer, **wishes: Unpack[Wishes]) -> None:
    """Make TARGET like SOURCE, each a local folder or a bucket; or a service with all its buckets.

    Contents are compared, not times. Nothing is replaced without --overwrite, and nothing is
    deleted without --remove. With --watch this runs until it is interrupted (exit code 130, or
    143 when terminated), also through outages of the server.

    \b
    Examples:
      ingot mirror ./photos store/photos
      ingot mirror --watch --overwrite --remove ./photos store/photos
      ingot mirror --dry-run --remove store/photos ./copy
      ingot mirror --versions store/ledger backup/ledger
      ingot mirror --exclude-bucket 'tmp-*' store backup
      ingot mirror --exclude '*.tmp' --include '*.jpg' store/photos backup/photos
    """
    from ingot.base.progress import SILENT
    from ingot.client.connections import Connections

    if wishes["active_active"]:
        wishes |= {"watch": True, "overwrite": True}
    _check(wishes)
    reporter = Reporter(printer, dry_run=wishes["dry_run"])
    with ExitStack() as stack:
        connections = stack.enter_context(Connections())
        # A watch has no end that a bar could run towards.
        progress = SILENT if wishes["watch"] else stack.enter_context(printer.progress())
        if wishes["versions"]:
            events = _histories(connections, wishes, progress)
        else:
            events = _present(connections, wishes, progress, stack)
        if wishes["monitoring_address"]:
            events = _monitored(events, wishes["monitoring_address"], reporter, stack)
        reporter.show(events)
    reporter.finish(summary=True)


def _check(wishes: Wishes) -> None:
    from ingot.base.errors import UsageError

    for other in ("dry_run", "versions"):
        if wishes["watch"] and wishes[other]:
            raise UsageError(f"--watch and --{other.replace('_', '-')} exclude each other")
    # Versions are carried as they are, and all of them.
    others = {
        "--older-than": wishes["older_than"],
        "--newer-than": wishes["newer_than"],
        "--exclude-storageclass": wishes["exclude_storageclass"],
        "--attr": wishes["attributes"],
        "--tags": wishes["tags"],
        "--storage-class": wishes["storage_class"],
        "--content-type": wishes["content_type"],
        "--retention-mode": wishes["retention_mode"],
        "--retention-duration": wishes["retention_duration"],
        "--legal-hold": wishes["legal_hold"],
    }
    said = [option for option, value in others.items() if value not in {None, ()}]
    if wishes["versions"] and said:
        raise UsageError(f"--versions and {said[0]} exclude each other")


def _conduct(wishes: Wishes) -> Conduct:
    from ingot.client.execute import Conduct
    from ingot.client.removals import RemovalLimit

    return Conduct(
        overwrite=wishes["overwrite"],
        dry_run=wishes["dry_run"],
        attempts=wishes["attempts"],
        workers=wishes["workers"],
        removal_limit=RemovalLimit.parse(wishes["max_remove"]),
    )


def _present(
    connections: Connections, wishes: Wishes, progress: Progress, stack: ExitStack
) -> Generator[Event]:
    """Return the events of a run over what both sides hold now, and with --watch from now on."""
    from ingot.base.clock import SystemClock
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration
    from ingot.cli._ages import age_of
    from ingot.client.addresses import RemoteAddress
    from ingot.client.manybuckets import ServiceMirror
    from ingot.client.mirror import Mirror, Only
    from ingot.client.watch import PendingChanges, Watch

    origin, goal = _sides(wishes)
    opened = _opener(connections, wishes, goal, stack)
    poll_s, rescan_s = parse_duration(wishes["interval"]), parse_duration(wishes["rescan"])
    if not poll_s:
        raise UsageError("--interval must be longer than 0")
    ages = wishes["older_than"], wishes["newer_than"]
    age_of(*ages)  # what is not understood is said at once
    only = Only(lambda: age_of(*ages), frozenset(wishes["exclude_storageclass"]))
    conduct, remove = _conduct(wishes), wishes["remove"]
    refuses_emptying = remove and not wishes["allow_empty_source"]

    def made(pair: Pair) -> Mirror:
        return Mirror(pair, conduct, remove=remove, progress=progress, only=only)

    job: Mirror | ServiceMirror
    source: Tree | ServiceMirror
    if isinstance(origin, RemoteAddress) and not origin.bucket:
        job = source = ServiceMirror(
            connections,
            origin,
            goal,
            lambda one, other: made(opened(one, other)),
            excluded=wishes["exclude_bucket"],
            region=wishes["region"],
            refuses_emptying=refuses_emptying,
            dry_run=wishes["dry_run"],
            ends_with_network=wishes["watch"],
        )
    else:
        pair = opened(origin, goal)
        job, source = made(pair), pair.source
        if refuses_emptying:
            job.refuse_emptying()
    if not wishes["watch"]:
        return job.run()
    pending = PendingChanges()
    # Before the first comparison, so that nothing falls between the two.
    stack.enter_context(_watcher(connections, origin, source, pending, poll_s))
    return Watch(job, pending, period_s=rescan_s, clock=SystemClock()).run()


def _histories(connections: Connections, wishes: Wishes, progress: Progress) -> Generator[Event]:
    """Return the events of a run over all versions of two buckets."""
    from ingot.base.errors import UsageError
    from ingot.client.addresses import LocalAddress, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.entries import Selection
    from ingot.client.histories import HistoryMirror

    book = AliasBook.default()
    origin, goal = parse_address(wishes["source"], book), parse_address(wishes["target"], book)
    if isinstance(origin, LocalAddress) or isinstance(goal, LocalAddress):
        raise UsageError("--versions needs a bucket on both sides")
    selection = Selection(wishes["exclude"], wishes["include"])
    mirror = HistoryMirror(connections, origin, goal, selection)
    return mirror.run(_conduct(wishes), progress, remove=wishes["remove"])


def _sides(wishes: Wishes) -> tuple[Address, Address]:
    from ingot.client.addresses import (
        LocalAddress,
        check_intended_local,
        check_no_stream,
        parse_address,
    )
    from ingot.client.aliases import AliasBook

    book = AliasBook.default()
    origin, goal = parse_address(wishes["source"], book), parse_address(wishes["target"], book)
    check_no_stream(goal)
    if isinstance(goal, LocalAddress):
        check_intended_local(goal, book, is_source_local=isinstance(origin, LocalAddress))
    return origin, goal


def _opener(
    connections: Connections, wishes: Wishes, goal: Address, stack: ExitStack
) -> Callable[[Address, Address], Pair]:
    """Return what opens two sides, with all that was wished for."""
    from ingot.base.clock import SystemClock
    from ingot.base.paths import cache_dir, state_dir
    from ingot.client.copier import Copier
    from ingot.client.copying import open_pair
    from ingot.client.digests import ContentDigests
    from ingot.client.digeststore import DigestStore
    from ingot.client.entries import Selection
    from ingot.client.journal import Journal
    from ingot.client.leftovers import Leftovers

    memory = None if wishes["reread"] else stack.enter_context(DigestStore(cache_dir()))
    journal = Journal(state_dir() / "uploads")
    journal.prune()
    leftovers = None if wishes["dry_run"] else Leftovers.default()
    copier = Copier(
        connections,
        ContentDigests(SystemClock(), memory),
        keep_times=wishes["preserve"],
        journal=journal,
        given=_given(wishes, goal),
    )
    return lambda source, target: open_pair(
        source,
        target,
        connections,
        copier,
        selection=Selection(wishes["exclude"], wishes["include"]),
        follow_links=wishes["follow_symlinks"],
        leftovers=leftovers,
    )


def _given(wishes: Wishes, goal: Address) -> Given:
    from ingot.client.copying import check_takes
    from ingot.client.given import Given

    given = Given(
        attributes=wishes["attributes"],
        tags=wishes["tags"],
        storage_class=wishes["storage_class"],
        content_type=wishes["content_type"],
        retention_mode=wishes["retention_mode"],
        retention_duration=wishes["retention_duration"],
        legal_hold=wishes["legal_hold"],
    )
    given.check()
    check_takes(goal, given)
    return given


def _watcher(
    connections: Connections,
    origin: Address,
    source: Tree | ServiceMirror,
    pending: PendingChanges,
    poll_s: float,
) -> AbstractContextManager[object]:
    from ingot.client.addresses import LocalAddress
    from ingot.client.buckettree import BucketTree
    from ingot.client.bucketwatch import BucketWatcher
    from ingot.client.localtree import LocalTree
    from ingot.client.manybuckets import ServiceMirror
    from ingot.client.watch import FolderWatcher

    if isinstance(source, LocalTree):
        return FolderWatcher(
            source.root, pending, source.concerns, follow_links=source.follows_links
        )
    assert not isinstance(origin, LocalAddress), "there are two kinds of trees"
    assert isinstance(source, BucketTree | ServiceMirror), "there are two kinds of trees"
    listener = connections.listener(origin.alias)
    return BucketWatcher(lambda: source.events(listener), source, pending, poll_s=poll_s)


def _monitored(
    events: Generator[Event], address: str, reporter: Reporter, stack: ExitStack
) -> Generator[Event]:
    from ingot.client.events import Noted
    from ingot.client.monitoring import Monitor

    monitor = stack.enter_context(Monitor(address))
    reporter.tell(Noted(f"monitoring at http://{monitor.address}/metrics"))
    return monitor.watched(events)
