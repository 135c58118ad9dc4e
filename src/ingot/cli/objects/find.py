"""`ingot find`: objects and files by name, size, age, tags and metadata; now, or as they come."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ingot.cli._completion import complete_address
from ingot.cli._habits import Levels
from ingot.cli.printer import Printer, output_options, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingot.base.errors import Error
    from ingot.cli._objects import Reporter
    from ingot.client.connections import Connections
    from ingot.client.entries import Selection
    from ingot.client.events import Event
    from ingot.client.finders import Finder, Found
    from ingot.client.finding import Criteria
    from ingot.client.probing import Wanted
    from ingot.s3client.client import S3Client


@click.command()
@click.argument("target", shell_complete=complete_address)
@click.option("--name", metavar="PATTERN", help="The name's last segment is like this.")
@click.option("--path", metavar="PATTERN", help="The address is like this; `*` crosses `/`.")
@click.option("--regex", metavar="REGEX", help="This is found in the address.")
@click.option(
    "--ignore", multiple=True, metavar="PATTERN", help="Leave out names like this. Repeatable."
)
@click.option("--larger", metavar="SIZE", help="Longer than this, as 10M.")
@click.option("--smaller", metavar="SIZE", help="Shorter than this.")
@click.option("--older-than", metavar="DURATION", help="Written longer ago than this, as 7d12h.")
@click.option("--newer-than", metavar="DURATION", help="Written since then.")
@click.option("--maxdepth", type=Levels(0), help="Only so many levels deep.")
@click.option(
    "--tags", "tags", multiple=True, metavar="NAME=REGEX", help="Has such a tag. Repeatable."
)
@click.option(
    "--metadata", multiple=True, metavar="NAME=REGEX", help="Has such metadata. Repeatable."
)
@click.option("--print", "template", metavar="TEMPLATE", help="Print this instead of `{}`.")
@click.option("--exec", "command", metavar="COMMAND", help="Run this for each; no shell.")
@click.option("--versions", is_flag=True, help="All versions and delete markers of objects.")
@click.option("--watch", "-w", is_flag=True, help="Go on, and tell of what is written from now on.")
@click.option(
    "--interval",
    default="5s",
    show_default=True,
    metavar="DURATION",
    help="With --watch: how often to compare, where a service has no stream of events.",
)
@output_options
def find(
    printer: Printer,
    *,
    target: str,
    ignore: tuple[str, ...],
    maxdepth: int | None,
    tags: tuple[str, ...],
    metadata: tuple[str, ...],
    template: str | None,
    command: str | None,
    versions: bool,
    watch: bool,
    interval: str,
    **tests: str | None,
) -> None:
    """Find objects, or files, below TARGET that pass every test given.

    TEMPLATE and COMMAND may hold {} (the address), {base} (its last segment), {dir} (what is
    before that), {size} (bytes), {time}, {version} (with --versions) and {url} (a link that anybody
    may use for a week).

    \b
    Examples:
      ingot find store/photos --name '*.jpg' --larger 10M
      ingot find store/photos --tags 'kind=^cat' --metadata 'content-type=image/'
      ingot find store --older-than 30d --print '{size} {}'
      ingot find store/logs --regex '/2024-0[1-6]' --exec 'ingot rm {}'
      ingot find store/inbox --watch --name '*.jpg' --exec 'ingot cp {} backup/photos/'
      ingot find ./photos --newer-than 1d
    """
    from ingot.base.errors import UsageError
    from ingot.base.units import parse_duration
    from ingot.cli._objects import Reporter
    from ingot.client.connections import Connections
    from ingot.client.entries import Selection
    from ingot.client.finding import parse_command
    from ingot.client.probing import parse_wanted

    interval_s = parse_duration(interval)
    if template is not None and command is not None:
        raise UsageError("--print and --exec exclude each other")
    if not interval_s:
        raise UsageError("--interval must be longer than 0")
    words = parse_command(command) if command is not None else None
    if template is None:
        template = "{} ({version})" if versions else "{}"
    criteria, selection = _criteria(maxdepth, **tests), Selection(ignore)
    reporter = Reporter(printer)
    with ExitStack() as stack:
        connections = stack.enter_context(Connections())
        finder, client = _finder(connections, target, selection, versions=versions)
        search = _Search(finder, criteria, selection, parse_wanted(tags, metadata), client)
        search.check(template if words is None else command or "")
        arriving: Iterator[Found | Event] = iter(())
        if watch:
            arriving = stack.enter_context(finder.watched(interval_s, printer.note))
        for item in search.found(arriving):
            _tell(printer, reporter, finder, item, template=template, words=words)
    reporter.finish(summary=False)


class _Search(NamedTuple):
    """What is looked for and where; `client` is None for files."""

    finder: Finder
    criteria: Criteria
    selection: Selection
    wanted: Wanted
    client: S3Client | None

    def check(self, template: str) -> None:
        """Make sure that the questions can be asked there.

        Raises:
            UsageError: they cannot.
        """
        from ingot.base.errors import UsageError
        from ingot.client.finding import asks_link

        if self.client is None and (self.wanted or asks_link(template)):
            raise UsageError("files have no tags, metadata and {url}: these are for objects")

    def found(self, arriving: Iterable[Found | Event]) -> Iterator[Found | Event]:
        """Yield what passes; those questions that cost a request come last."""
        from ingot.client.probing import filtered

        present = filter(self._passes, self.finder.present())
        yield from filtered(present, self._has_wanted) if self.wanted else present
        # One by one: what comes must not wait for what comes after it.
        yield from filter(self._has_wanted, filter(self._passes, arriving))

    def _passes(self, item: Found | Event) -> bool:
        from ingot.client.finders import Found

        return not isinstance(item, Found) or (
            self.selection.admits(item.line.name) and self.criteria.admit(item.line, item.address)
        )

    def _has_wanted(self, item: Found | Event) -> bool:
        from ingot.client.finders import Found

        if not self.wanted or self.client is None or not isinstance(item, Found):
            return True
        version = item.line.version
        if version is not None and version.is_delete_marker:
            return False
        bucket, _, key = item.line.path.partition("/")
        return self.wanted.holds(self.client, bucket, key, version.id if version else None)


def _finder(
    connections: Connections, target: str, selection: Selection, *, versions: bool
) -> tuple[Finder, S3Client | None]:
    from ingot.base.errors import UsageError
    from ingot.client.addresses import LocalAddress, check_intended_local, parse_address
    from ingot.client.aliases import AliasBook
    from ingot.client.finders import BucketFinder, FolderFinder

    book = AliasBook.default()
    root = parse_address(target, book)
    if isinstance(root, LocalAddress):
        check_intended_local(root, book)
        if versions:
            raise UsageError(f"{target} is local, and files have no versions")
        return FolderFinder(root.path, selection), None
    finder = BucketFinder(connections, root, versions=versions)
    return finder, connections.client(root.alias)


def _criteria(
    levels: int | None,
    *,
    name: str | None,
    path: str | None,
    regex: str | None,
    larger: str | None,
    smaller: str | None,
    older_than: str | None,
    newer_than: str | None,
) -> Criteria:
    from ingot.base.units import parse_size
    from ingot.cli._ages import age_of
    from ingot.client.finding import Criteria, parse_regex

    return Criteria(
        name=name,
        path=path,
        regex=None if regex is None else parse_regex(regex),
        larger_bytes=None if larger is None else parse_size(larger),
        smaller_bytes=None if smaller is None else parse_size(smaller),
        age=age_of(older_than, newer_than),
        levels=levels,
    )


def _tell(
    printer: Printer,
    reporter: Reporter,
    finder: Finder,
    item: Found | Event,
    *,
    template: str,
    words: Sequence[str] | None,
) -> None:
    from ingot.client.events import Failed, Unchanged
    from ingot.client.finders import Found

    if not isinstance(item, Found):
        reporter.tell(item)
    elif words is None:
        _show(printer, finder, item, template)
    elif (error := _run(words, finder, item)) is not None:
        reporter.tell(Failed(item.address, error))
    else:
        reporter.tell(Unchanged(item.address, item.line.size_bytes))


def _show(printer: Printer, finder: Finder, found: Found, template: str) -> None:
    from ingot.cli._objects import iso_time
    from ingot.client.finding import asks_link

    line = found.line
    document: dict[str, Any] = {
        "type": "file",
        "key": found.address,
        "size": line.size_bytes,
        "lastModified": iso_time(line.modified_ns),
        "etag": line.etag,
    }
    if line.version is not None:
        document |= {
            "versionId": line.version.id,
            "isDeleteMarker": line.version.is_delete_marker,
        }
    if asks_link(template):
        document["url"] = finder.link(line)
    printer.data(document, visible(_filled(template, finder, found)))


def _filled(text: str, finder: Finder, found: Found) -> str:
    from ingot.cli._objects import iso_time
    from ingot.client.finding import asks_link, fill, placeholders

    line = found.line
    values = placeholders(
        found.address,
        line.size_bytes,
        iso_time(line.modified_ns),
        version=line.version.id if line.version else "",
        url=finder.link(line) if asks_link(text) else "",
    )
    return fill(text, values)


def _run(words: Sequence[str], finder: Finder, found: Found) -> Error | None:
    """Run the command for one object, and return why that failed, if it did."""
    from ingot.base.errors import Error, MissingToolError

    filled = [_filled(word, finder, found) for word in words]
    sys.stdout.flush()
    try:
        done = subprocess.run(filled, check=False)
    except FileNotFoundError as error:
        raise MissingToolError(f"{filled[0]} cannot be run: there is no such program") from error
    except (OSError, ValueError) as error:
        return Error(f"{found.address}: {filled[0]} cannot be run: {error}")
    if done.returncode:
        return Error(f"{found.address}: {filled[0]} ended with exit code {done.returncode}")
    return None
